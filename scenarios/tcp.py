"""TCP over loopback: unread bytes, full queues, a listener with a connection that nobody has accepted yet.

One connection holds unread bytes in both directions; another is full: its receiver's window is closed and its
sender's queue holds unsent bytes. Nothing is read before the check; then the bytes are compared, further bytes flow
both ways, and a new connection is accepted.

CRIU refuses to dump a connection that is not accepted yet unless it is told to skip it, so the check accepts two
fates of it and no third: accepted with its bytes, or cleanly reset.

Leans on TCP_REPAIR (3.5), TCP_REPAIR_WINDOW (4.8), SIOCOUTQNSD, sock_diag for inet sockets (3.3), and on a network
namespace of its own, which CRIU makes again. SO_BUF_LOCK (5.15) cannot be taken back by an older kernel;
SO_PASSCRED on inet sockets fails since 6.16, which CRIU knows since 4.2; UDP-Lite is gone from sock_diag since 7.1,
which CRIU before 4.2.1 cannot bear in a namespace of its own.
"""

from __future__ import annotations

from testinfra.host import Host

from harness.scenario import Facts, Scenario, Workload
from harness.witness import assert_unchanged, assert_unharmed

SCENARIO = Scenario(
    command=("bin/tcp",),
    sources=("tcp.c",),
    tags=("object", "network"),
    criu=("--tcp-established", "--skip-in-flight"),
    own_network=True,
)

CORRUPTIONS = {
    "lost": "to the server: only 4999 of 5000 bytes",
    "refilled": "to the client: byte",
    "drained": "send queue is empty",
    "options": "nodelay",
    "pending": "neither accepted nor reset",
    "shut": "full connection, later, to the server: cannot be sent",
    "reconnected": "calm_port",
}
"""What the self-test can damage, and what `check` must then say."""


def check(host: Host, workload: Workload, before: Facts) -> None:
    """Every byte that was in a queue is read and compared, and the connections go on."""
    after = workload.ask("check")
    assert_unharmed(workload, before, after)
    names = ("port", "calm_port", "full_port", "to_server", "to_client", "full_bytes")
    assert_unchanged(before, after, *names, "nodelay", "keepalive", "listening")
    assert after["pending"] in ("accepted", "reset")
