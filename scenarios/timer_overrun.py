"""The overrun count of a POSIX timer: how often it expired while its signal waited to be taken.

One signal was taken before the move, with its count, and the next one waits; `timer_getoverrun` must give that count
still, as it does until the next one is taken. Programs that keep time by such a timer add it up.

Leans on timer_getoverrun (2.6), /proc/PID/timers (3.10). CRIU saves the count in its image; no system call can set it
in a timer, so it comes back as zero. A scenario of its own, so that it hides nothing of `posix_timers`.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/timer_overrun",),
    sources=("timer_overrun.c",),
    needs=Needs(config=("CONFIG_POSIX_TIMERS",)),
    tags=("trait",),
)

CORRUPTIONS = {
    "counted": "overruns: is 0",
    "lost": "does not fire|another timer",
}
"""What the self-test can damage, and what `check` must then say."""
