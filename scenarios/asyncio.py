"""A Python server with asyncio and its clients in one tree: a suspended coroutine, a timer, a thread that computes.

One connection asks; one has asked for what is not there yet, and the coroutine that serves it is suspended until the
other sets it. A timer of the event loop fires 50 times a second; a thread computes a chain of numbers whose state
must follow from its length. All that the server knows is in objects in its memory, with a word that it made up.

Leans on what `tcp` leans on; on epoll with a timeout, the socket pair by which asyncio wakes itself, futexes under the
interpreter's lock, and on time namespaces (5.6): the event loop counts on CLOCK_MONOTONIC, and before them its timers
wait until the destination has been up as long as the source.
"""

from __future__ import annotations

from testinfra.host import Host

from harness.scenario import Facts, Needs, Scenario, Workload
from harness.witness import assert_steady, assert_unharmed

SCENARIO = Scenario(
    command=("/usr/bin/python3", "-EsSB", "bin/asyncio_client.py"),
    files=(
        "files/asyncio_client.py",
        "files/asyncio_server.py",
        "files/line_client.py",
        "files/peers.py",
        "files/witness.py",
    ),
    tags=("app", "network"),
    needs=Needs(packages=("python3",)),
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
