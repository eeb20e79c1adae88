"""SQLite with a write-ahead log: a writer inside a transaction, a reader in another process on an older snapshot.

The writer's transaction has rows that are spilled into the log and not committed, a savepoint, a cursor in the middle.
The reader's snapshot is older than the last commit. A third process that wants to write must be told `locked`: the
locks are the kernel's, on `shelf.db-shm`, a file that all of them have open and mapped shared.

Leans on what `sqlite` leans on and on MAP_SHARED file mappings of several processes.

CRIU (seen with 4.1.1) loses every lock on a file that the process has mapped, too, and says nothing: a task's locks
are restored first, its mappings after that, and for each of them the file is opened once more and closed. By the rule
of POSIX whoever closes any descriptor of a file loses all locks on it. In restore.log the lines `(posix)flag: ... fd:
5` come before the mapped file is opened (`restore_one_alive_task`: prepare_file_locks, then open_vmas). After the move
a second writer gets in: a corrupt database. `sqlite` has the locks on a file that is not mapped, and keeps them.
"""

from __future__ import annotations

from testinfra.host import Host

from harness.scenario import Needs, Scenario, Workload

SCENARIO = Scenario(
    command=("/usr/bin/python3", "-EsSB", "bin/sqlite_writer.py", "wal"),
    files=("files/sqlite_writer.py", "files/witness.py"),
    tags=("trait", "app"),
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
