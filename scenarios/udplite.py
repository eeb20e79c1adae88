"""UDP-Lite over IPv4 and IPv6: bound and connected sockets (2.6.20).

The protocol was removed from the kernel in 7.1 (merge d6e0f04bf22d). There the workload cannot start and its baseline
is a skip that says so; a move from an older kernel to such a one is then not tried and tells the same reason. Nothing
there could take the sockets up: what a user meets is the kernel's doing.

Leans on sock_diag for UDP-Lite (3.3), and a network namespace that CRIU makes again. SO_BUF_LOCK (5.15) cannot be
taken back by an older kernel; SO_PASSCRED on inet sockets fails since 6.16, which CRIU knows since 4.2. How much of a
datagram the checksum covers (UDPLITE_SEND_CSCOV) is reported with its default: CRIU carries no other.
"""

from __future__ import annotations

from testinfra.host import Host

from harness.errors import CannotRun
from harness.scenario import Scenario, Workload

SCENARIO = Scenario(
    command=("bin/udplite",),
    sources=("udplite.c",),
    tags=("object", "network"),
    own_network=True,
)

CORRUPTIONS = {
    "udp": "protocol4.*136.*17",
    "unbound": "IPv6: no message",
    "mark": "connected6_mark",
}
"""What the self-test can damage, and what `check` must then say."""


def ready(host: Host, workload: Workload) -> None:
    """Wait for the sockets. Raises `CannotRun` if the kernel has no such protocol."""
    workload.await_ready()
    if host.file(f"{workload.directory}/lacking").exists:
        raise CannotRun("this kernel has no UDP-Lite: it was removed in 7.1")
