"""Clocks never go back and never run ahead: a thread reads four of them without a break, before, through and after.

CLOCK_MONOTONIC, BOOTTIME, MONOTONIC_RAW and MONOTONIC_COARSE by system call (`vdso` asks the vDSO). None may go back,
and none may have stepped farther ahead than the wall clock did over the same two readings, whatever the pause was: a
bound that depends on the machine's speed in no way.

Leans on time namespaces (5.6), by which CRIU sets off the destination's CLOCK_MONOTONIC and CLOCK_BOOTTIME. On an
older kernel they are the destination's own; there the lab waits until that is older than the source was.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/clock",), sources=("clock.c",), libraries=("-lpthread",))

CORRUPTIONS = {
    "back": "CLOCK_MONOTONIC: went back 1 times",
    "boottime": "CLOCK_BOOTTIME: went back 1 times",
    "jump": "CLOCK_BOOTTIME: is (3|4)[0-9] s ahead",
    "stopped": "the thread that watches the clocks does not run",
}
"""What the self-test can damage, and what `check` must then say."""
