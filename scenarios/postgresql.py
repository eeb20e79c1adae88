"""PostgreSQL and four sessions in one tree: an open transaction, a statement that waits for it, a listener.

The transaction holds an uncommitted row, a savepoint, a cursor in the middle, a temporary table; its session a
setting, a prepared statement, an advisory lock. A second session's UPDATE began before the move and can only end after
the transaction's commit. A third listens and must hear; a query of it is then cancelled with the secret key that it
was given at start. All over TCP.

Leans on what `tcp` leans on; System V shared memory, which CRIU carries in an IPC namespace of the tree's own only;
anonymous shared memory with unnamed semaphores in it; signalfd (2.6.27), epoll, eventfd or pipes between processes;
PR_SET_PDEATHSIG, sessions of their own for all children; POSIX timers and interval timers (deadlock_timeout). The
server is another user than its parent.

Dynamic shared memory is set to files in the data directory: by default it is a file in /dev/shm, which is not below
/work. PostgreSQL 18 can use io_uring, which CRIU refuses; its default, `io_method = worker`, does not.
"""

from __future__ import annotations

from testinfra.host import Host

from harness.scenario import Needs, Scenario, Workload

SCENARIO = Scenario(
    command=("/usr/bin/unshare", "--ipc", "/usr/bin/python3", "-EsSB", "bin/postgresql.py"),
    files=("files/postgresql.py", "files/peers.py", "files/witness.py"),
    tags=("app", "network"),
    needs=Needs(packages=("postgresql", "python3", "util-linux")),
    criu=("--tcp-established",),
    own_network=True,
)

CORRUPTIONS = {
    "committed": "uncommitted row: others can see it",
    "rolled back": "uncommitted row: gone",
    "row": "row 23: is x",
    "cursor": "cursor: does not go on where it was",
    "setting": "session's setting: lost",
    "deaf": "listener: hears nothing",
    "reconnected": "changed .*(activity|ports)",
    "server": "changed .*(identity|server)",
}
"""What the self-test can damage, and what `check` must then say."""


def ready(host: Host, workload: Workload) -> None:
    """Wait until a new database was made and all sessions are where they shall be."""
    workload.await_ready(seconds=90)
