"""Interval timers: real, virtual and prof, hours ahead in one process and every 20 ms in another, and an alarm.

The far ones must have at most ten minutes less to run, and their intervals unchanged to the microsecond; those of a
spinning child must go on ringing; an `alarm` of a sleeping child, which has no interval, must still be set.

Leans on getitimer and setitimer, which CRIU calls from inside the process; no kernel has changed them since 2.6.
Older versions of CRIU take a timer without an interval for one that is not set
(checkpoint-restore/criu#2559); 4.1.1 restores it.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/itimers",), sources=("itimers.c",))

CORRUPTIONS = {
    "restarted": "virtual: .* more than",
    "lost": "prof: is not armed",
    "interval": "member 0, interval, real",
    "shortened": "real: .* too few",
    "running": "running timer, prof: does not ring",
    "alarm": "alarm: is not armed",
}
"""What the self-test can damage, and what `check` must then say."""
