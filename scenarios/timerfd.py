"""Timer descriptors: relative and absolute, once and periodic, on three clocks, with what is left of them checked.

Five have hours left; one that runs once has expired and not been read; one was never set. One is shared with a
duplicate and a child: set anew through one of them, it must show that through the others. Clock, flags, settings,
ticks and intervals must be what they were, the time left at most ten minutes less.

Leans on /proc/PID/fdinfo for timerfd and on TFD_IOC_SET_TICKS (3.17), and CLOCK_BOOTTIME timers (3.15 with fdinfo,
CRIU since 3.16). CRIU saves a span even of a timer that was set to a point in time and adds it to the destination's
clock, so an absolute timer comes later by as long as the process was away; that is not looked at here, because a
lab's pause is too short to tell from slowness. A periodic one that has expired is in `timerfd_expired`.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/timerfd",), sources=("timerfd.c",))

CORRUPTIONS = {
    "restarted": "periodic: .* more than",
    "lost": "once: is not armed",
    "lengthened": "absolute: .* more than",
    "shortened": "boottime: .* too few",
    "read": "expired: does not expire|expired, ticks",
    "twin": "the duplicate: .* too few",
    "flags": "periodic, flags",
}
"""What the self-test can damage, and what `check` must then say."""
