"""memcached and its clients in one tree: items, an expiry, half a request, half an answer.

Three TCP connections stay open through the move: one asks; of one the server has read half of a value that is being
set; the client of one has read the first line of an answer and lets the rest lie in its receive queue. Nothing of it is
on any disk.

Leans on what `tcp` leans on, on epoll, eventfds between four and more threads, and on time namespaces (5.6): memcached
counts seconds on CLOCK_MONOTONIC, and an expiry must neither come at once nor never.
"""

from __future__ import annotations

import re

from testinfra.host import Host

from harness.scenario import Facts, Needs, Scenario, Workload
from harness.witness import assert_steady, assert_unharmed

SCENARIO = Scenario(
    command=("/usr/bin/python3", "-EsSB", "bin/memcached.py"),
    files=("files/memcached.py", "files/peers.py", "files/witness.py"),
    tags=("app", "network"),
    needs=Needs(packages=("memcached", "python3")),
    criu=("--tcp-established",),
    own_network=True,
    moving=("uptime", "ttl"),
)

CORRUPTIONS = {
    "item": "key17: is",
    "flags": "key17: is",
    "rewritten": "unique",
    "expiry": "expires never",
    "counter": "counter: does not go on",
    "half": "half a value: is not taken|half a value: has other bytes",
    "reconnected": "ports|total_connections",
    "server": "changed .*server",
}
"""What the self-test can damage, and what `check` must then say."""


def check(host: Host, workload: Workload, before: Facts) -> None:
    """Every item is what it was, both halves get their other half, the seconds to live went on and did not jump."""
    after = workload.ask("check")
    assert_unharmed(workload, before, after)
    assert_steady(before, after, SCENARIO.moving)
    assert before["uptime"] <= after["uptime"] < before["uptime"] + 600, "the server's own time jumped"
    gone = _seconds(before["ttl"]) - _seconds(after["ttl"])
    assert 0 <= gone < 600, f"the time to live moved by {gone} s"


def _seconds(answer: str) -> int:
    """What the server says of an item's time to live: `HD t19998`."""
    found = re.fullmatch(r"HD t(\d+)", answer)
    assert found, f"the mortal item is dead or expires never: {answer}"
    return int(found[1])
