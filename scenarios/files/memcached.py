"""Starts memcached and stays its client on three connections: one that asks, one in the middle of a request, one that
has read half of an answer."""

import os
import signal

from peers import Connection, dial, is_running, settle, start
from witness import Desk, Witness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from witness import Check

PORT = 11211
ITEMS = 40
BIG = 20_000
"""Fits into a receive queue: whether a full one drains in time is what `tcp` asks."""
HALF = 1000
STEADY = (
    "pid",
    "version",
    "threads",
    "curr_connections",
    "total_connections",
    "curr_items",
    "evictions",
    "cmd_flush",
)
"""Statistics that no question moves."""


class Memcached:
    """The server and its clients."""

    def __init__(self) -> None:
        self.witness = Witness()
        self.big = self.witness.content("big", BIG)
        self.begin()

    def begin(self) -> None:
        argv = [
            "memcached",
            "-u",
            "root",
            "-l",
            "127.0.0.1",
            "-p",
            str(PORT),
            "-U",
            "0",
            "-m",
            "8",
            "-t",
            "3",
        ]
        self.server = start([*argv, "-c", "32"], "memcached.log")
        self.asking = dial(PORT, self.server)
        self.load()
        self.open_halves()

    def load(self) -> None:
        for number in range(ITEMS):
            self.store(f"key{number}", self.witness.word(f"item {number}").encode(), flags=number)
        self.store("mortal", b"dies", seconds=20_000)
        self.store("counter", b"40")
        self.store("big", self.big)
        self.unique = self.gets("key0")

    def open_halves(self) -> None:
        """A value that the server has half of, and an answer that the client has half of."""
        word = self.witness.content("late", HALF)
        self.sender = Connection(PORT)
        self.sender.say(f"set late 0 0 {HALF}\r\n".encode() + word[: HALF // 2])
        self.reader = Connection(PORT)
        self.reader.socket.setsockopt(
            1, 8, 4096
        )  # SOL_SOCKET, SO_RCVBUF: most of the answer stays with the server
        self.reader.say(b"get big\r\n")
        self.reader_head = self.reader.line()
        self.await_half()

    def await_half(self) -> None:
        """The server has read the half when it says that the connection waits for the rest."""
        settle("memcached has not read the half of a value", self.is_half_read)

    def is_half_read(self) -> bool:
        return any("conn_nread" in value for value in self.statistics("conns").values())

    def store(self, key: str, value: bytes, flags: int = 0, seconds: int = 0) -> None:
        self.asking.say(f"set {key} {flags} {seconds} {len(value)}\r\n".encode() + value + b"\r\n")
        if (answer := self.asking.line()) != "STORED":
            raise RuntimeError(f"memcached does not store {key}: {answer}")

    def gets(self, key: str) -> str:
        """What `gets` says of a key: its flags, its size, its unique number; then its value."""
        head = self.asking.ask(f"gets {key}")
        if head == "END" or not head.startswith("VALUE"):
            return head
        value = self.asking.line()
        return f"{head} {value}" if self.asking.line() == "END" else "no end"

    def statistics(self, what: str = "") -> dict[str, str]:
        found = {}
        line = self.asking.ask(f"stats {what}".strip())
        while line.startswith("STAT "):
            _, name, value = line.split(" ", 2)
            found[name] = value
            line = self.asking.line()
        return found

    def describe(self) -> dict[str, object]:
        found = self.statistics()
        steady: dict[str, object] = {name: found.get(name) for name in STEADY}
        return {
            "server": self.server,
            **{f"stats_{name}": value for name, value in steady.items()},
            "uptime": int(found.get("uptime", "-1")),
            "unique": self.gets("key0"),
            "ttl": self.asking.ask("mg mortal t"),
            "ports": [c.port() for c in (self.asking, self.sender, self.reader)],
        }

    def verify(self) -> "Iterator[Check]":
        yield "memcached is not this process's child any more", is_running(self.server)
        for number in range(ITEMS):
            found = self.gets(f"key{number}").split()
            word = self.witness.word(f"item {number}")
            yield f"key{number}: is {found[-1]}", found[-1] == word and found[2:3] == [str(number)]
        yield "counter: does not go on from 40", self.asking.ask("incr counter 2") == "42"
        yield "half a value: was stored before its end", self.gets("late") == "END"
        yield "half a value: has an answer, or its connection is gone", self.sender.is_silent()
        self.sender.say(self.witness.content("late", HALF)[HALF // 2 :] + b"\r\n")
        yield "half a value: is not taken", self.sender.line() == "STORED"
        self.asking.say(b"get late\r\n")
        self.asking.line()
        yield "half a value: has other bytes", self.asking.bytes(HALF) == self.witness.content("late", HALF)
        yield "half a value: has no end", self.asking.bytes(7) == b"\r\nEND\r\n"
        yield "half an answer: began otherwise", self.reader_head == f"VALUE big 0 {BIG}"
        rest = self.reader.bytes(BIG + 7)
        yield f"half an answer: {len(rest)} of {BIG + 7} bytes came", len(rest) == BIG + 7
        yield "half an answer: the rest has other bytes", rest == self.big + b"\r\nEND\r\n"
        later = Connection(PORT)
        yield "a new connection gets no answer", later.ask("mn") == "MN"

    def end(self) -> None:
        os.kill(self.server, signal.SIGKILL)
        os.waitpid(self.server, 0)

    def restart(self) -> None:
        self.end()
        self.begin()

    def reconnect(self) -> None:
        before = self.sender, self.reader
        self.open_halves()  # while the old ones are there, or their ports may be chosen again
        for connection in before:
            connection.close()

    def shorten(self) -> None:
        """Lose a byte of the half that the server has: a client that repeats it would be noticed as such."""
        self.sender.say(b"x")


def main() -> None:
    memcached = Memcached()
    damages = {
        "item": lambda: memcached.store("key17", memcached.witness.word("item 18").encode(), flags=17),
        "flags": lambda: memcached.store("key17", memcached.witness.word("item 17").encode(), flags=18),
        "rewritten": lambda: memcached.store("key0", memcached.witness.word("item 0").encode()),
        "expiry": lambda: memcached.asking.ask("touch mortal 0"),
        "counter": lambda: memcached.asking.ask("incr counter 1"),
        "half": memcached.shorten,
        "reconnected": memcached.reconnect,
        "server": memcached.restart,
    }
    Desk(memcached.witness, memcached.describe, memcached.verify, damages).serve()


main()
