"""SQLite with a journal to roll back: a writer inside a transaction, a reader in another process inside another.

The writer's transaction has uncommitted rows in its memory, a savepoint, a cursor in the middle. A third process that
wants to write must be told `locked` before the move and after it, and the writer must not be able to commit before
the reader's transaction has ended: both locks are the kernel's, on bytes of the database file.

Leans on POSIX record locks (`--file-locks`; CRIU finds them in /proc/locks and in fdinfo since 4.1) and on files that
are written in place. `sqlite_wal` is the same with a write-ahead log.
"""

from __future__ import annotations

from testinfra.host import Host

from harness.scenario import Needs, Scenario, Workload

SCENARIO = Scenario(
    command=("/usr/bin/python3", "-EsSB", "bin/sqlite_writer.py", "persist"),
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
    "unread": "reader's lock: the writer may commit",
    "unlocked": "writer's lock: others may write",
    "reader": "changed .*reader",
}
"""What the self-test can damage, and what `check` must then say."""


def ready(host: Host, workload: Workload) -> None:
    """Wait until both have their transactions."""
    workload.await_ready(seconds=60)
