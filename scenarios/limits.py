"""What surrounds a process: limits, umask, names, priorities and policies, whom it outlives.

All sixteen limits at values of their own; oom_score_adj; a name that a careless reader of /proc/PID/stat stumbles over;
five threads with names, scheduled by five policies; a child with a parent death signal; a subreaper.

Leans on prlimit (2.6.36), PR_SET_CHILD_SUBREAPER (3.4). What CRIU does not save (personality, timer slack, io priority,
core dump filter, deadline scheduling and others) is in scenarios of its own; affinity shows nothing where a guest has
one processor.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/limits",), sources=("limits.c",), libraries=("-lpthread",))

CORRUPTIONS = {
    "limit": "soft limit 12: is 1011, expected 1012",
    "umask": "umask",
    "policy": "fifo: has policy 0, expected 1",
    "nice": "batch: is 6, expected 5",
    "oom": "oom_score_adj: is 0",
    "name": "name: byte 0",
}
"""What the self-test can damage, and what `check` must then say."""
