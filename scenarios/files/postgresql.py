"""Starts PostgreSQL and stays its client in four sessions: one asks, one is inside a transaction, one waits for a lock
that the transaction holds, one listens."""

# ruff: noqa: PTH102, PTH110, PTH207 - pathlib is dear
import glob
import os
import pathlib
import shutil
import signal
import struct

from peers import Connection, dial, is_running, settle, start
from witness import Desk, Patience, Witness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from witness import Check

PORT = 5432
ROWS = 200
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "port": PORT,
    "unix_socket_directories": "",
    "max_connections": 8,
    "shared_buffers": "1MB",
    # the default, files in /dev/shm, would not travel: they are no part of /work and not deleted
    "dynamic_shared_memory_type": "mmap",
    "autovacuum": "off",
    "fsync": "off",
    "jit": "off",
    "max_wal_senders": 0,
    "wal_level": "minimal",
}
ACTIVITY = """select pid, backend_start, xact_start, state, coalesce(wait_event, '-') from pg_stat_activity
 where backend_type = 'client backend' and pid <> pg_backend_pid() order by pid"""
IDENTITY = """select pg_postmaster_start_time(), pg_backend_pid(), version(),
 (select system_identifier from pg_control_system())"""


class Session(Connection):
    """One session of PostgreSQL's protocol 3.0: simple queries, every value as text."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__(port)
        self.notes: list[str] = []
        parameters = f"user\0postgres\0database\0postgres\0application_name\0{name}\0\0".encode()
        self.say(struct.pack("!II", 8 + len(parameters), 196608) + parameters)
        self.answers()

    def ask(self, request: str) -> str:
        """The rows of a query's answer, or its error: columns parted by |, rows by a blank."""
        self.begin(request)
        return self.answers()

    def begin(self, request: str) -> None:
        """Ask and do not wait."""
        text = request.encode() + b"\0"
        self.say(b"Q" + struct.pack("!I", 4 + len(text)) + text)

    def answers(self) -> str:
        found: list[str] = []
        while True:
            kind, body = self.message()
            if kind == b"D":
                found.append("|".join(columns(body)))
            elif kind == b"E":
                found.append("ERROR " + fields(body)[b"C"[0]])
            elif kind == b"A":
                self.notes.append(body[4:].decode().replace("\0", " ").strip())
            elif kind == b"K":
                self.key = body
            elif kind in (b"Z", b""):
                return " ".join(found) if kind else "no answer"

    def message(self) -> tuple[bytes, bytes]:
        head = self.bytes(5)
        if len(head) < 5:
            return b"", b""
        return head[:1], self.bytes(struct.unpack("!I", head[1:])[0] - 4)

    def cancel(self) -> None:
        """What Ctrl-C in psql does: a new connection names the session's pid and its secret key."""
        other = Connection(PORT)
        other.say(struct.pack("!II", 16, 80877102) + self.key)
        other.more(Patience.seconds)
        other.close()


def columns(body: bytes) -> "Iterator[str]":
    at = 2
    for _ in range(struct.unpack_from("!H", body)[0]):
        size = struct.unpack_from("!i", body, at)[0]
        at += 4
        yield body[at : at + max(size, 0)].decode()
        at += max(size, 0)


def fields(body: bytes) -> dict[int, str]:
    return {part[0]: part[1:].decode() for part in body.split(b"\0") if part}


class PostgreSQL:
    """The server and its sessions."""

    def __init__(self) -> None:
        self.witness = Witness()
        self.programs = max(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
        self.initialise()
        self.begin()

    def as_postgres(self, program: str, *arguments: str) -> list[str]:
        """PostgreSQL refuses to be root."""
        away = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        return [*away, f"{self.programs}/{program}", *arguments]

    def initialise(self) -> None:
        if os.path.exists("data"):
            # of a server that was killed: its pid may still be a zombie's, which counts as a running server
            pathlib.Path("data/postmaster.pid").unlink(missing_ok=True)
            return
        os.mkdir("data", 0o700)
        shutil.chown("data", "postgres", "postgres")
        options = [
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            "--wal-segsize=1",
            "--no-instructions",
        ]
        made = start(self.as_postgres("initdb", "-D", "data", *options), "postgresql.log")
        if os.waitpid(made, 0)[1]:
            raise RuntimeError("initdb failed, see postgresql.log")

    def begin(self) -> None:
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        self.server = start(self.as_postgres("postgres", "-D", "data", *settings), "postgresql.log")
        dial(PORT, self.server).close()
        self.asking = self.session("asking")
        self.load()
        self.open_transaction()
        self.wait_for_lock()
        self.listen()

    def session(self, name: str) -> Session:
        """A session, once the server is willing: it listens before it has recovered."""
        found: list[Session] = []

        def is_let_in() -> bool:
            found.append(Session(PORT, name))
            return found[-1].ask("select 1") == "1"

        settle("PostgreSQL does not let anybody in", is_let_in)
        return found[-1]

    def load(self) -> None:
        word = self.witness.word
        rows = ", ".join(f"({number}, '{word(f'row {number}')}')" for number in range(ROWS))
        self.asking.ask("drop table if exists shelf")
        self.asking.ask("create table shelf (id int primary key, word text)")
        if error := self.asking.ask(f"insert into shelf values {rows}"):
            raise RuntimeError(error)
        self.asking.ask("checkpoint")

    def open_transaction(self) -> None:
        self.transaction = self.session("transaction")
        for statement in (
            f"select set_config('kmatrix.secret', '{self.witness.word('secret')}', false)",
            "prepare later as select word from shelf where id = $1",
            "select pg_advisory_lock(4711)",
            "begin isolation level repeatable read",
            f"insert into shelf values (1000, '{self.witness.word('uncommitted')}')",
            "update shelf set word = 'kept' where id = 1",
            "create temporary table desk (word text)",
            f"insert into desk values ('{self.witness.word('desk')}')",
            "declare walk cursor for select id from shelf where id < 1000 order by id",
            "fetch 7 from walk",
            "savepoint early",
            "update shelf set word = 'dropped' where id = 2",
        ):
            self.must(self.transaction, statement)

    def must(self, session: Session, statement: str) -> None:
        answer = session.ask(statement)
        if "ERROR" in answer or answer == "no answer":
            raise RuntimeError(f"{statement}: {answer}")

    def wait_for_lock(self) -> None:
        """A statement that began before the move and can only end after it."""
        self.blocked = self.session("blocked")
        self.blocked.begin("update shelf set word = word || ' twice' where id = 1 returning word")
        settle("no session waits for a lock", lambda: "|active|transactionid" in self.asking.ask(ACTIVITY))

    def listen(self) -> None:
        self.listener = self.session("listener")
        self.must(self.listener, "listen news")

    def describe(self) -> dict[str, object]:
        sessions = (self.asking, self.transaction, self.blocked, self.listener)
        return {
            "server": self.server,
            "identity": self.asking.ask(IDENTITY),
            "activity": self.asking.ask(ACTIVITY),
            "visible": self.asking.ask("select count(*), min(word), max(id) from shelf"),
            "advisory": self.asking.ask(
                "select pid from pg_locks where locktype = 'advisory' and objid = 4711"
            ),
            "ports": [session.port() for session in sessions],
        }

    def verify(self) -> "Iterator[Check]":
        yield "PostgreSQL is not this process's child any more", is_running(self.server)
        yield from self.verify_before_commit()
        yield "blocked session: its statement ended before the commit", self.blocked.is_silent()
        yield "transaction: cannot be committed", self.transaction.ask("commit") == ""
        word = self.asking.ask("select word from shelf where id = 1000")
        yield f"committed row: is {word}", word == self.witness.word("uncommitted")
        yield "savepoint: the rest was not rolled back", self.stored(2) == self.witness.word("row 2")
        yield "blocked session: does not get through after the commit", self.gets_through()
        yield from self.verify_listener()
        yield "a new session cannot write", self.session("later").ask("delete from shelf where id = 3") == ""

    def verify_before_commit(self) -> "Iterator[Check]":
        ask, word = self.transaction.ask, self.witness.word
        for number in range(3, ROWS):
            found = self.stored(number) if number % 20 == 3 else word(f"row {number}")
            yield f"row {number}: is {found}", found == word(f"row {number}")
        yield "uncommitted row: others can see it", self.stored(1000) == ""
        yield "session's setting: lost", ask("select current_setting('kmatrix.secret')") == word("secret")
        yield "prepared statement: lost", ask("execute later(7)") == word("row 7")
        yield "uncommitted row: gone", ask("select word from shelf where id = 1000") == word("uncommitted")
        yield "temporary table: lost", ask("select word from desk") == word("desk")
        yield "cursor: does not go on where it was", ask("fetch 3 from walk") == "7 8 9"
        yield "savepoint: gone", ask("rollback to savepoint early") == ""

    def verify_listener(self) -> "Iterator[Check]":
        yield "listener: heard something before", self.listener.is_silent() and not self.listener.notes
        self.asking.ask(f"notify news, '{self.witness.word('news')}'")
        kind, body = self.listener.message()
        yield "listener: hears nothing", kind == b"A" and self.witness.word("news").encode() in body
        self.listener.begin("select pg_sleep(1000)")
        self.await_sleep()
        self.listener.cancel()
        yield "cancelling a query: the secret key is not taken", self.listener.answers() == "ERROR 57014"

    def await_sleep(self) -> None:
        for _ in Patience.naps():
            if "PgSleep" in self.asking.ask(ACTIVITY):
                return

    def gets_through(self) -> bool:
        return self.blocked.answers() == "kept twice"

    def stored(self, number: int) -> str:
        return self.asking.ask(f"select word from shelf where id = {number}")

    def damages(self) -> "dict[str, Callable[[], object]]":
        return {
            "committed": lambda: self.transaction.ask("commit"),
            "rolled back": lambda: self.transaction.ask("rollback"),
            "row": lambda: self.asking.ask("update shelf set word = 'x' where id = 23"),
            "cursor": lambda: self.transaction.ask("fetch 1 from walk"),
            "setting": lambda: self.transaction.ask("set kmatrix.secret = 'x'"),
            "deaf": lambda: self.listener.ask("unlisten news"),
            "reconnected": self.reconnect,
            "server": self.restart,
        }

    def reconnect(self) -> None:
        before = self.listener
        self.listen()  # while the old one is there, or its port may be chosen again
        before.close()

    def restart(self) -> None:
        """The same rows from the same directory, the same sessions anew: all but what was in memory."""
        os.kill(self.server, signal.SIGINT)
        os.waitpid(self.server, 0)
        self.begin()


def main() -> None:
    server = PostgreSQL()
    Desk(server.witness, server.describe, server.verify, server.damages()).serve()


main()
