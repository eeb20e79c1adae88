"""Locks of flock(2), which belong to open files: exclusive, shared twice, inherited, left to a child, waited for.

An exclusive lock through a descriptor that a child has as well; two shared locks of two processes; a lock whose first
holder has closed its descriptor, so that only a child's duplicate keeps it; a third process that waits in flock.

Leans on the `lock:` lines of /proc/PID/fdinfo (4.1), which say what /proc/locks cannot: which open file has the lock.
CRIU wants `--file-locks` on both steps.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/flock",),
    sources=("flock.c",),
    needs=Needs(config=("CONFIG_FILE_LOCKING",)),
    criu=("--file-locks",),
)

CORRUPTIONS = {
    "lost": "released, free: a newcomer gets -",
    "weaker": "left-behind, held by the child's descriptor: a newcomer gets s",
    "moved": "left-behind, released by the child: a newcomer gets -",
    "single": "shared, held by the child: a newcomer gets x",
    "reopened": "waiter: does not get the lock that became free",
    "waiter": "waiter: does not wait",
}
"""What the self-test can damage, and what `check` must then say."""
