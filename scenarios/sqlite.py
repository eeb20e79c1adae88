"""SQLite in write-ahead mode: a writer inside a transaction, a reader in another process on an older snapshot.

The writer's transaction has rows that are spilled into the log and not committed, a savepoint, a cursor in the middle.
The reader's snapshot is older than the last commit. A third process that wants to write must be told `locked` before
the move and after it: the locks are in the kernel, on the file `shelf.db-shm`, which both have mapped.

Leans on POSIX record locks (`--file-locks`; CRIU finds them in /proc/locks and in fdinfo since 4.1), on MAP_SHARED
file mappings of two processes, on files that are written in place.
"""

from __future__ import annotations

from testinfra.host import Host

from harness.scenario import Needs, Scenario, Workload

SCENARIO = Scenario(
    command=("/usr/bin/python3", "-EsSB", "bin/sqlite_writer.py"),
    files=("files/sqlite_writer.py", "files/witness.py"),
    tags=("app",),
    needs=Needs(packages=("python3",)),
    criu=("--file-locks",),
)

CORRUPTIONS = {
    "committed": "writer's lock: others may write",
    "rolled back": "changed .*changes",
    "row": "uncommitted rows: not what was written",
    "walked": "cursor: does not go on where it was",
    "snapshot": "reader: sees",
    "unlocked": "writer's lock: others may write",
    "reader": "changed .*(reader|snapshot)",
}
"""What the self-test can damage, and what `check` must then say."""


def ready(host: Host, workload: Workload) -> None:
    """Wait until both have their transactions."""
    workload.await_ready(seconds=60)
