"""Who a process is and what it may: three children and a thread, each with other ids, groups and capabilities.

One with three different user and group ids, four groups and no capabilities; one with permitted, effective,
inheritable and ambient capabilities as another user, a smaller bounding set, no_new_privs; a root whose root is
switched off for ever by secure bits; a thread with file system ids of its own. Each tells of itself.

Leans on /proc/PID/status, PR_GET_SECUREBITS (2.6.26), PR_CAP_AMBIENT (4.3), PR_SET_NO_NEW_PRIVS (3.5),
PR_SET_DUMPABLE. `keepcaps` is one of the secure bits.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/credentials",), sources=("credentials.c",), libraries=("-lpthread",))

CORRUPTIONS = {
    "uid": "person: effective uid: is 1003, expected 1002",
    "ambient": "helper: ambient capabilities: is 0",
    "dumpable": "locked: dumpable: is 0, expected 1",
    "thread": "thread: file system gid: is 9, expected 3002",
}
"""What the self-test can damage, and what `check` must then say."""
