"""POSIX timers: eight of forty, so that their ids have gaps, on three clocks, with every way to be told.

Signals with a value, one for a certain thread (SIGEV_THREAD_ID), one that tells nobody, one never set, one that runs
every 20 ms through the move. Ids are the kernel's own. Intervals and ids must be what they were, the remaining time
at most ten minutes less, and each timer, brought near, must tell the one it told before, with its id and its value.

Leans on /proc/PID/timers (3.10), timer ids that count up so that a restorer finds each again (3.10), since 6.15 on
PR_TIMER_CREATE_RESTORE_IDS, which CRIU uses from 4.2 on. The overrun count of a timer is lost: see `timer_overrun`.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/posix_timers",),
    sources=("posix_timers.c",),
    libraries=("-lpthread",),
    needs=Needs(config=("CONFIG_POSIX_TIMERS",)),
)

CORRUPTIONS = {
    "restarted": "monotonic, periodic: .* more than",
    "shortened": "realtime, once: .* too few",
    "disarmed": "monotonic, periodic: is not armed",
    "stopped": "running: signal . does not come",
    "renumbered": "id of boottime, once",
    "lost": "never set: there is no timer",
    "told": "notification of one thread is told",
    "value": "realtime, periodic: its signal has another value",
}
"""What the self-test can damage, and what `check` must then say."""
