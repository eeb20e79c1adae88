"""A family of processes: sessions, process groups, orphans, zombies, a stopped one, reapers of orphans.

Ten processes. One leads a session with two groups; one came to a child subreaper by its parent's death; two are
zombies, one of which exited with a code and one died by a signal; one is stopped. Places in the family must be what
they were, the zombies give their status, and when a parent dies its child must come to the nearest subreaper. One
whose session's leader is dead is in `orphan`.

Leans on clone with a chosen pid (ns_last_pid 3.3, clone3's set_tid 5.5), /proc/PID/stat, PR_SET_CHILD_SUBREAPER (3.4,
which CRIU restores since 3.13).
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/sessions",), sources=("sessions.c",))

CORRUPTIONS = {
    "reaped": "exited: cannot be waited for",
    "status": "killed: code 1, status 37",
    "session": "'mate'",
    "group": "'mate'",
    "reaper": "charge: after its parent's death",
    "continued": "stopped: it runs",
    "restarted": "'charge'",
}
"""What the self-test can damage, and what `check` must then say."""
