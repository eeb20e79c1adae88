"""A Java server and its clients in one tree: compiled code, a collector with three threads, threads that wait.

One connection asks; one is served by a thread that waits on a monitor until the other connection's thread notifies it.
A thread sleeps and counts; one computes a chain of numbers in a loop that the machine's best compiler has made code of
while it ran, as the log of compilations says before the dump, and makes garbage on the way. A full collection after
the move, by all threads of the parallel collector, must leave the objects what they were.

Leans on what `tcp` leans on; on some 20 threads with futexes and timed waits on CLOCK_MONOTONIC (time namespaces, 5.6),
on pages that are executable and were written by the process itself, on reservations of address space (PROT_NONE,
MAP_NORESERVE), guard pages at each stack, files mapped from the class data archive, and signals that the machine uses
itself: SIGSEGV for its safepoints.

The server is one source, compiled when the workload starts: the runtime package has the compiler's modules.
/tmp/hsperfdata_root, a mapped file that does not travel, is switched off (-XX:-UsePerfData), as in every guide to
checkpointing Java with CRIU.
"""

from __future__ import annotations

from testinfra.host import Host

from harness.scenario import Facts, Needs, Scenario, Workload
from harness.witness import assert_steady, assert_unharmed

SCENARIO = Scenario(
    command=("/usr/bin/python3", "-EsSB", "bin/java_client.py"),
    files=(
        "files/java_client.py",
        "files/LinesServer.java",
        "files/line_client.py",
        "files/peers.py",
        "files/witness.py",
    ),
    tags=("app", "network"),
    needs=Needs(packages=("default-jre-headless", "python3")),
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
    "collected": "changed .*collections",
    "server": "changed .*server",
}
"""What the self-test can damage, and what `check` must then say."""


def ready(host: Host, workload: Workload) -> None:
    """Wait until the server was compiled, knows who waits, and has machine code for its loop."""
    workload.await_ready(seconds=300)


def check(host: Host, workload: Workload, before: Facts) -> None:
    """Nothing that was counted goes back, all else is what it was."""
    after = workload.ask("check")
    assert_unharmed(workload, before, after)
    assert_steady(before, after, SCENARIO.moving)
    for counter in SCENARIO.moving:
        assert after[counter] >= before[counter], f"{counter} went back"
