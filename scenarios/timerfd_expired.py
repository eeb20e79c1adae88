"""A periodic timer descriptor that has expired and was not read yet: any event loop that was busy has one.

After the move it must still be armed, give at least the ticks that it had, and expire again and again.

Leans on /proc/PID/fdinfo for timerfd and TFD_IOC_SET_TICKS (3.17). The kernel stops such a timer until it is read,
fdinfo then shows `it_value: (0, 0)`, and CRIU takes that for a timer that is not set: it comes back disarmed
(seen with CRIU 4.1.1; checkpoint-restore/criu#3162 is open). A scenario of its own, so that it hides no other.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/timerfd_expired",), sources=("timerfd_expired.c",), tags=("trait",))

CORRUPTIONS = {
    "disarmed": "not armed any more",
    "emptied": "ticks that nobody has read are lost",
    "interval": "interval: is",
}
"""What the self-test can damage, and what `check` must then say."""
