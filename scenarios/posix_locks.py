"""Record locks of fcntl(2): read and write ranges of two processes, ranges of an open file (OFD), a waiter.

Another process sees each range with its exact bounds, type and holder, takes every range between them, and shares the
one that is locked for reading. One range runs to the end of the file from beyond 4 GiB. Locks of open file
descriptions (F_OFD_SETLK 3.15) must have no process as holder. A third process waits in F_SETLKW.

The child's lock is taken through a file that it has opened itself; `posix_locks_inherited` asks for the other case.

Leans on the `lock:` lines of /proc/PID/fdinfo (4.1). CRIU wants `--file-locks` on both steps.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/posix_locks",),
    sources=("posix_locks.c",),
    needs=Needs(config=("CONFIG_FILE_LOCKING",)),
    criu=("--file-locks",),
)

CORRUPTIONS = {
    "lost": "range 3: type 2",
    "weaker": "range 2: type 0",
    "wider": "gap 1: cannot be locked",
    "child": "child_lock",
    "kind": "description, written: the lock belongs to process",
    "reader": "description, read: lock of type 2",
    "waiter": "waiter: does not wait; waiter: does not get the range",
}
"""What the self-test can damage, and what `check` must then say."""
