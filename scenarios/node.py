"""A Node.js server and its clients in one tree: a promise that is not kept yet, a timer, a worker thread, V8's heap.

One connection asks; one waits for a promise that another command keeps. A timer of the event loop fires 50 times a
second; a worker, which has a V8 of its own, computes a chain of numbers and posts its state to the main thread. V8
compiles the loop while it runs and has threads of its own for its collector and its compiler.

Leans on what `tcp` leans on; on epoll, eventfd, pipes and futexes between some 11 threads, on pages that are executable
and were written by the process itself, on large reservations of address space (PROT_NONE), madvise, protection keys
where the processor has them, and on CLOCK_MONOTONIC (time namespaces, 5.6) for every timer.

libuv as trixie has it (1.50) makes a ring of io_uring for every event loop to batch epoll_ctl, whatever UV_USE_IO_URING
says, and CRIU refuses to dump it. So io_uring is kept from this server by a seccomp filter, as Docker's default profile
keeps it from everything; CRIU carries the filter, too (PTRACE_SECCOMP_GET_FILTER, 4.4). `node_uring` goes without.
"""

from __future__ import annotations

from testinfra.host import Host

from harness.scenario import Facts, Needs, Scenario, Workload
from harness.witness import assert_steady, assert_unharmed

SCENARIO = Scenario(
    command=("/usr/bin/python3", "-EsSB", "bin/node_client.py", "bin/no_uring"),
    sources=("no_uring.c",),
    files=(
        "files/node_client.py",
        "files/node_server.js",
        "files/line_client.py",
        "files/peers.py",
        "files/witness.py",
    ),
    tags=("app", "network"),
    needs=Needs(packages=("nodejs", "python3")),
    criu=("--tcp-established",),
    own_network=True,
    moving=("beats", "rounds"),
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
