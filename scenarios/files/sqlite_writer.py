"""A writer and two companions with one SQLite database: a reader inside a transaction, a bystander.

The argument is the journal's mode: `wal`, or `persist` for a journal that is rolled back.
"""

# ruff: noqa: PTH108, PTH110, PTH116 - pathlib is dear

import _signal as signal
import os
import select
import sqlite3
import sys

from witness import Desk, Patience, Witness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from witness import Check

ROWS = 300
SPILLED = 400
LOCKED = "ERROR database is locked"
SHELF = "select count(*), max(id) from shelf"


MODE = sys.argv[1]
IS_WAL = MODE == "wal"


def connect() -> sqlite3.Connection:
    """Transactions begin and end where it is said; nobody waits for a lock."""
    database = sqlite3.connect("shelf.db", isolation_level=None, timeout=0)
    database.execute(f"pragma journal_mode = {MODE}")
    if IS_WAL:
        database.execute("pragma wal_autocheckpoint = 0")
        # so small that what is not committed yet is spilled into the write-ahead log
        database.execute("pragma cache_size = 16")
    return database


class Companion:
    """Another process, which does what it is told in SQL and says what came of it."""

    def __init__(self) -> None:
        theirs_in, self.input = os.pipe()
        self.output, theirs_out = os.pipe()
        wiring = [(os.POSIX_SPAWN_DUP2, theirs_in, 0), (os.POSIX_SPAWN_DUP2, theirs_out, 1)]
        argv = ["/usr/bin/python3", "-EsSB", *sys.argv, "companion"]
        self.pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=wiring)
        os.close(theirs_in)
        os.close(theirs_out)
        self.ask("select 1", seconds=60)

    def ask(self, statement: str, seconds: float = 0) -> str:
        os.write(self.input, f"{statement}\n".encode())
        answer = b""
        while not answer.endswith(b"\n"):
            if not select.select([self.output], [], [], seconds or Patience.seconds)[0]:
                return "no answer"
            chunk = os.read(self.output, 4096)
            if not chunk:
                return "it has ended"
            answer += chunk
        return answer.decode().strip()

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.input)
        os.close(self.output)


def obey() -> None:
    """A companion's side."""
    database = connect()
    for line in sys.stdin:
        try:
            rows = database.execute(line).fetchall()
            answer = " ".join("|".join(map(str, row)) for row in rows)
        except sqlite3.Error as error:
            answer = f"ERROR {error}"
        os.write(1, f"{answer}\n".encode())


class Writer:
    """The database, the writer's transaction, the reader."""

    def __init__(self) -> None:
        self.witness = Witness()
        for name in ("shelf.db", "shelf.db-wal", "shelf.db-shm", "shelf.db-journal"):
            if os.path.exists(name):
                os.unlink(name)
        self.database = connect()
        self.database.execute("create table shelf (id integer primary key, word text)")
        self.insert(range(ROWS))
        self.bystander = Companion()
        self.reader = Companion()
        if IS_WAL:
            self.look()
        # With a write-ahead log the reader's snapshot is older than this; without, nobody writes while it reads.
        self.insert(range(ROWS, ROWS + 50))
        if not IS_WAL:
            self.look()
        self.begin()

    def insert(self, numbers: range) -> None:
        rows = [(number, self.witness.word(f"row {number}")) for number in numbers]
        self.database.executemany("insert into shelf values (?, ?)", rows)

    def look(self) -> None:
        self.reader.ask("begin")
        self.snapshot = self.reader.ask(SHELF)

    def begin(self) -> None:
        self.database.execute("begin immediate")
        self.database.executemany(
            "insert into shelf values (?, ?)",
            [
                (5000 + number, self.witness.content(f"spilled {number}", 600).hex())
                for number in range(SPILLED)
            ],
        )
        self.database.execute("savepoint early")
        self.database.execute("delete from shelf where id < 100")
        self.walk = self.database.execute("select id from shelf where id >= 100 and id < 300 order by id")
        self.walked = [self.step() for _ in range(7)]

    def step(self) -> int:
        """The cursor's next row."""
        try:
            row = self.walk.fetchone()
        except sqlite3.Error:
            row = None
        return row[0] if row else -1

    def describe(self) -> dict[str, object]:
        return {
            "sqlite": sqlite3.sqlite_version,
            "reader": self.reader.pid,
            "in_transaction": self.database.in_transaction,
            "changes": self.database.total_changes,
            "sizes": [
                os.stat(name).st_size for name in ("shelf.db", f"shelf.db-{'wal' if IS_WAL else 'journal'}")
            ],
            "snapshot": self.reader.ask(SHELF),
            "bystander": self.bystander.pid,
            "locked": self.may_others_write(),
        }

    def may_others_write(self) -> str:
        """What a third process is told: SQLite knows of its own process's locks without asking the kernel."""
        answer = self.bystander.ask("begin immediate")
        self.bystander.ask("rollback")
        return answer

    def verify(self) -> "Iterator[Check]":
        yield "writer's lock: others may write", self.may_others_write() == LOCKED
        yield "cursor: does not go on where it was", self.step() == self.walked[-1] + 1
        self.walk.close()
        yield "writer: no longer in its transaction", self.database.in_transaction
        yield "savepoint: gone", self.works("rollback to early")
        yield "uncommitted rows: not what was written", self.has_spilled()
        again = self.reader.ask(SHELF)
        yield (
            f"reader: sees {again} instead of its snapshot {self.snapshot}",
            again == self.snapshot,
        )
        if IS_WAL:
            yield "writer: cannot commit while somebody reads", self.works("commit")
        else:
            yield "reader's lock: the writer may commit", not self.works("commit")
        again = self.reader.ask(SHELF)
        yield "reader: its snapshot moved with the commit", again == self.snapshot
        self.reader.ask("commit")
        yield "writer: cannot commit", IS_WAL or self.works("commit")
        wanted = f"{ROWS + 50 + SPILLED}|{5000 + SPILLED - 1}"
        yield (
            "reader: does not see what was committed",
            (self.reader.ask(SHELF) == wanted),
        )
        yield "rows: not what was written", self.has_rows()
        # A new connection: one from before the move finds its file "moved" (another inode) and will not write.
        answer = Companion().ask("delete from shelf where id = 3")
        yield f"a new connection: cannot write: {answer}", answer == ""
        yield "database: not sound", self.database.execute("pragma integrity_check").fetchone() == ("ok",)
        if IS_WAL:
            emptied = self.database.execute("pragma wal_checkpoint(truncate)").fetchone()
            yield "log: cannot be emptied", emptied[0] == 0

    def works(self, statement: str) -> bool:
        try:
            self.database.execute(statement)
        except sqlite3.Error:
            return False
        return True

    def has_spilled(self) -> bool:
        found = self.database.execute("select word from shelf where id >= 5000 order by id").fetchall()
        return found == [(self.witness.content(f"spilled {number}", 600).hex(),) for number in range(SPILLED)]

    def has_rows(self) -> bool:
        found = self.database.execute("select word from shelf where id < 5000 order by id").fetchall()
        return found == [(self.witness.word(f"row {number}"),) for number in range(ROWS + 50)]

    def damages(self) -> "dict[str, Callable[[], object]]":
        return {
            "committed": self.commit,
            "unread": lambda: self.reader.ask("commit"),
            "rolled back": self.begin_anew,
            "row": self.spoil,
            "walked": self.step,
            "snapshot": self.refresh,
            "unlocked": self.unlock,
            "reader": self.replace_reader,
        }

    def commit(self) -> None:
        """Without a log the reader must look away."""
        if not IS_WAL:
            self.reader.ask("commit")
        self.database.execute("commit")

    def begin_anew(self) -> None:
        """The same words once more: the counter of changes tells."""
        self.database.execute("rollback")
        self.begin()

    def spoil(self) -> None:
        """Change a row before the savepoint, so that it is not mended by going back to that."""
        self.database.execute("release early")
        self.database.execute("update shelf set word = 'x' where id = 5007")
        self.database.execute("savepoint early")

    def refresh(self) -> None:
        self.reader.ask("commit")
        self.reader.ask("begin")

    def unlock(self) -> None:
        """By the rule of POSIX: whoever closes any descriptor of a file loses all locks on it."""
        os.close(os.open("shelf.db-shm" if IS_WAL else "shelf.db", os.O_RDWR))

    def replace_reader(self) -> None:
        self.reader.end()
        self.reader = Companion()
        self.look()


def main() -> None:
    writer = Writer()
    Desk(writer.witness, writer.describe, writer.verify, writer.damages()).serve()


if sys.argv[-1] == "companion":
    obey()
else:
    main()
