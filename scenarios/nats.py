"""nats-server, a program in Go, and its clients in one tree: goroutines, timers, messages in memory, half a message.

Three TCP connections, with two goroutines each in the server: one asks; one is subscribed for three messages, of which
two have come; of one the server has read half of a message. A stream keeps messages in memory. The server pings each
client once a second, which Go's timers do.

Leans on what `tcp` leans on; on epoll, eventfd or a pipe (the netpoller), futexes between Go's threads, signal
stacks and SIGURG, by which Go preempts its goroutines and which a dump must not lose or double, rseq-free threads made
by clone directly, reservations of address space (PROT_NONE), and on CLOCK_MONOTONIC (time namespaces, 5.6).
"""

from __future__ import annotations

from testinfra.host import Host

from harness.scenario import Facts, Needs, Scenario, Workload
from harness.witness import assert_steady, assert_unharmed

SCENARIO = Scenario(
    command=("/usr/bin/python3", "-EsSB", "bin/nats.py"),
    files=("files/nats.py", "files/peers.py", "files/witness.py"),
    tags=("app", "network"),
    needs=Needs(packages=("nats-server", "python3")),
    criu=("--tcp-established",),
    own_network=True,
    moving=("pings",),
)

CORRUPTIONS = {
    "message": "message 17: is",
    "extra": "half a message: stored before its end",
    "deaf": "subscriber: heard",
    "told": "subscriber: heard what nobody said",
    "half": "half a message: (not taken|other bytes)",
    "reconnected": "changed .*ports",
    "server": "changed .*server",
}
"""What the self-test can damage, and what `check` must then say."""


def ready(host: Host, workload: Workload) -> None:
    """Wait until the stream is filled and the subscriber has heard two messages."""
    workload.await_ready(seconds=60)


def check(host: Host, workload: Workload, before: Facts) -> None:
    """Every message is what it was, pings go on, the subscription ends with its third message."""
    after = workload.ask("check")
    assert_unharmed(workload, before, after)
    assert_steady(before, after, SCENARIO.moving)
    assert after["pings"] >= before["pings"], "pings went back"
