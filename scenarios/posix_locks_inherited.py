"""Record locks as in `posix_locks`, but the child's is taken through a descriptor that it has inherited.

A POSIX lock belongs to a process and a file, whichever descriptor it was taken by. CRIU collects locks by descriptor:
where two processes share an open file, it takes the locks found at the second for the first's once more and forgets
them (`discard_dup_locks_tail` in criu/file-lock.c; seen with 4.1.1). The dump's log names the lock in a `lockinfo:`
line and leaves it out below `Dumping file-locks`; after the restore the child's range is free, and nobody says so.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/posix_locks", "inherited"),
    sources=("posix_locks.c",),
    needs=Needs(config=("CONFIG_FILE_LOCKING",)),
    criu=("--file-locks",),
    tags=("trait",),
)

CORRUPTIONS = {
    "lost": "range 3: type 2",
    "child": "child_lock",
    "waiter": "waiter: does not get the range",
}
"""What the self-test can damage, and what `check` must then say."""
