"""A time namespace: the monotonic clock ten days ahead of its host's, the boot clock twenty-five.

The clocks must go on from where they were, although the destination's kernel has another uptime, and must stay as far
apart as they were. A timerfd waits for a moment of the boot clock, three days ahead. A child reads the same clocks.

Leans on unshare(CLONE_NEWTIME) and /proc/PID/timens_offsets (5.6), and on setns() of a process into the namespace that
it made for its children. CRIU (3.14) reads both clocks at the dump and gives the restored tree a namespace whose
offsets make up for the difference, whether or not the tree had one before.
A second time namespace inside the first is refused ("Can't dump nested time namespace").
"""

from __future__ import annotations

from testinfra.host import Host

from harness.namespaces import assert_apart
from harness.scenario import Facts, Needs, Scenario, Workload
from harness.witness import assert_steady, assert_unharmed

SCENARIO = Scenario(
    command=("bin/timens",),
    sources=("timens.c",),
    tags=("object", "namespace"),
    needs=Needs(config=("CONFIG_TIME_NS",), kernel="5.6", features=("timens",)),
    moving=("monotonic", "boottime"),
)

CORRUPTIONS = {
    "left": "in the host's own namespace: time:",
    "offset": "days between the two clocks: is 0, expected 15",
    "alarm": "'alarm_in_days': \\(3, 0\\)",
}

DAY = 86400


def check(host: Host, workload: Workload, before: Facts) -> None:
    """The clocks went on: not back, and not by a day, whatever this host's uptime is."""
    assert_apart(workload, "time")
    after = workload.ask("check")
    assert_unharmed(workload, before, after)
    assert_steady(before, after, SCENARIO.moving)
    for clock in SCENARIO.moving:
        assert before[clock] > 9 * DAY, f"{clock} is not ahead of its host's"
        assert after[clock] >= before[clock], f"{clock} went back from {before[clock]} to {after[clock]}"
        assert after[clock] < before[clock] + DAY // 4, (
            f"{clock} jumped from {before[clock]} to {after[clock]}"
        )
