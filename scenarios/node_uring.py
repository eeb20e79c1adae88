"""Node.js as `node` has it, with the rings of io_uring that libuv makes: CRIU refuses to dump it.

libuv as trixie has it (1.50) makes a ring for every event loop to batch epoll_ctl where the kernel has io_uring, and
reads UV_USE_IO_URING only for rings with a kernel thread. CRIU has no support for io_uring: it finds a mapping that it
does not know, `anon_inode:[io_uring]`, and gives up (seen with 4.1.1). An ordinary Node.js server of trixie on an
ordinary kernel can therefore not be moved at all. Where libuv makes no ring, this is checked like `node`.
"""

from __future__ import annotations

from testinfra.host import Host

from harness.scenario import Facts, Needs, Scenario, Workload
from harness.witness import assert_steady, assert_unharmed

SCENARIO = Scenario(
    command=("/usr/bin/python3", "-EsSB", "bin/node_client.py"),
    files=(
        "files/node_client.py",
        "files/node_server.js",
        "files/line_client.py",
        "files/peers.py",
        "files/witness.py",
    ),
    tags=("trait", "app", "network"),
    needs=Needs(packages=("nodejs", "python3")),
    criu=("--tcp-established",),
    own_network=True,
    moving=("beats", "rounds"),
    refusal=r"anon_inode:\[io_uring\]|mapfile link .* No such device or address",
)

CORRUPTIONS = {
    "key": "key17: is",
    "answered": "waiting connection: has an answer|changed .*status",
    "loop": "loop: its state does not follow",
    "timer": "timer: does not fire",
    "reconnected": "changed .*ports",
    "server": "changed .*server",
}
"""What the self-test can damage, and what `check` must then say."""


def ready(host: Host, workload: Workload) -> None:
    """Wait until the server knows who waits and its loop runs."""
    workload.await_ready(seconds=90)


def check(host: Host, workload: Workload, before: Facts) -> None:
    """Nothing that was counted goes back, all else is what it was."""
    after = workload.ask("check")
    assert_unharmed(workload, before, after)
    assert_steady(before, after, SCENARIO.moving)
    for counter in SCENARIO.moving:
        assert after[counter] >= before[counter], f"{counter} went back"
