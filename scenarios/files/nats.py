"""Starts nats-server, a program in Go, and stays its client on three connections: one that asks, one that subscribes,
one in the middle of a message."""

import os
import signal
from binascii import a2b_base64

from peers import Connection, dial, is_running, settle, start
from witness import Desk, Patience, Witness, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from witness import Check

PORT = 4222
MESSAGES = 40
HALF = 2000
CONFIGURATION = f"""
listen: "127.0.0.1:{PORT}"
ping_interval: "1s"
ping_max: 100000
jetstream {{ store_dir: "./js", max_mem: 8M, max_file: 1M }}
"""
STREAM = '{"name":"shelf","subjects":["shelf.*"],"storage":"memory","retention":"limits"}'
CONNECT = b'CONNECT {"verbose":false,"pedantic":false,"no_responders":true,"headers":true}\r\n'


class Client(Connection):
    """A connection that speaks NATS's protocol and counts the server's pings on the way."""

    def __init__(self) -> None:
        super().__init__(PORT)
        self.pings = 0
        self.info = super().line()
        self.say(CONNECT)
        self.inbox = f"inbox.{self.port()}"
        self.say(f"SUB {self.inbox} 1\r\n".encode())

    def line(self) -> str:
        while (line := super().line()) == "PING":
            self.pings += 1
        return line

    def publish(self, subject: str, content: bytes, answer_to: str = "") -> None:
        self.say(f"PUB {subject} {answer_to} {len(content)}\r\n".encode() + content + b"\r\n")

    def message(self) -> tuple[str, bytes]:
        """The next message's subject and content."""
        words = self.line().split()
        if len(words) < 4 or words[0] != "MSG":
            return " ".join(words), b""
        content = self.bytes(int(words[-1]) + 2)
        return words[1], content[:-2]

    def call(self, subject: str, content: str = "") -> str:
        """Ask one of the server's own services."""
        self.publish(f"$JS.API.{subject}", content.encode(), self.inbox)
        return self.message()[1].decode("latin-1")

    def is_quiet(self) -> bool:
        """Nothing came but pings; what began with something else stays."""
        self.more(0)
        while self.heard.startswith(b"PING\r\n"):
            self.pings += 1
            self.heard = self.heard[6:]
        return not self.heard


def field(text: str, name: str) -> str:
    """A value of a flat JSON text."""
    value = text.partition(f'"{name}":')[2]
    return value.partition(",")[0].partition("}")[0].strip('" ')


class Nats:
    """The server and its clients."""

    def __init__(self) -> None:
        self.witness = Witness()
        write("nats.conf", CONFIGURATION.encode())
        self.begin()

    def begin(self) -> None:
        self.server = start(["nats-server", "-c", "nats.conf"], "nats.log", {"GOMAXPROCS": "3"})
        dial(PORT, self.server).close()
        self.asking = Client()
        settle("no stream", lambda: "error" not in self.asking.call("STREAM.CREATE.shelf", STREAM))
        for number in range(MESSAGES):
            self.asking.publish(
                f"shelf.{number}", self.witness.word(f"message {number}").encode(), self.asking.inbox
            )
            self.asking.message()
        self.subscribe()
        self.half_message()

    def subscribe(self) -> None:
        """For three messages, of which two come now."""
        self.listener = Client()
        self.listener.say(b"SUB news.> 2\r\nUNSUB 2 3\r\nPING\r\n")
        settle("the server does not answer", lambda: self.listener.line() == "PONG")
        for number in range(2):
            self.asking.publish("news.local", f"{number}".encode())
            if self.listener.message() != ("news.local", f"{number}".encode()):
                raise RuntimeError("nats-server does not deliver")

    def half_message(self) -> None:
        self.sender = Client()
        content = self.witness.content("late", HALF)
        self.sender.say(f"PUB shelf.late {HALF}\r\n".encode() + content[: HALF // 2])

    def stored(self, sequence: int) -> bytes:
        return a2b_base64(field(self.asking.call("STREAM.MSG.GET.shelf", f'{{"seq":{sequence}}}'), "data"))

    def describe(self) -> dict[str, object]:
        stream = self.asking.call("STREAM.INFO.shelf")
        return {
            "server": self.server,
            "id": field(self.asking.info, "server_id"),
            "version": field(self.asking.info, "version"),
            "go": field(self.asking.info, "go"),
            **{name: field(stream, name) for name in ("created", "messages", "bytes", "last_seq")},
            "stray": not (self.listener.is_quiet() and self.sender.is_quiet()),
            "pings": self.asking.pings + self.listener.pings + self.sender.pings,
            "ports": [client.port() for client in (self.asking, self.listener, self.sender)],
        }

    def verify(self) -> "Iterator[Check]":
        yield "nats-server is not this process's child any more", is_running(self.server)
        for number in range(MESSAGES):
            found = self.stored(number + 1)
            wanted = self.witness.word(f"message {number}").encode()
            yield f"message {number}: is {found.decode('latin-1')}", found == wanted
        yield "pings: do not come any more", self.is_pinged()
        yield from self.verify_subscription()
        yield "half a message: stored before its end", self.last() == MESSAGES
        self.sender.say(self.witness.content("late", HALF)[HALF // 2 :] + b"\r\n")
        yield "half a message: not taken", any(self.last() == MESSAGES + 1 for _ in Patience.naps())
        yield "half a message: other bytes", self.stored(MESSAGES + 1) == self.witness.content("late", HALF)
        later = Client()
        yield "another server answers", field(later.info, "server_id") == field(self.asking.info, "server_id")

    def verify_subscription(self) -> "Iterator[Check]":
        """The third message is the last that comes."""
        yield "subscriber: heard what nobody said", self.listener.is_quiet()
        for word in ("third", "fourth"):
            self.asking.publish("news.local", self.witness.word(word).encode())
        message = self.listener.message()
        yield f"subscriber: heard {message}", message == ("news.local", self.witness.word("third").encode())
        self.listener.say(b"PING\r\n")
        line = self.listener.line()
        yield f"subscriber: heard {line} after its last message", line == "PONG"

    def is_pinged(self) -> bool:
        """A timer of Go's: once a second for each connection, so this takes more than the usual patience."""
        before = self.listener.pings
        for _ in range(5):
            self.listener.more(2)
            if not self.listener.is_quiet() or self.listener.pings > before:
                break
        return self.listener.pings > before

    def last(self) -> int:
        number = field(self.asking.call("STREAM.INFO.shelf"), "last_seq")
        return int(number) if number.isdigit() else -1

    def damages(self) -> "dict[str, Callable[[], object]]":
        return {
            "message": lambda: self.asking.call("STREAM.MSG.DELETE.shelf", '{"seq":18}'),
            "extra": lambda: self.asking.publish("shelf.more", b"stray"),
            "deaf": lambda: self.listener.say(b"UNSUB 2\r\n"),
            "told": lambda: self.asking.publish("news.local", b"stray"),
            "half": lambda: self.sender.say(b"x"),
            "reconnected": self.reconnect,
            "server": self.restart,
        }

    def reconnect(self) -> None:
        before = self.listener
        self.subscribe()  # while the old one is there, or its port may be chosen again
        before.close()

    def restart(self) -> None:
        os.kill(self.server, signal.SIGKILL)
        os.waitpid(self.server, 0)
        self.begin()


def main() -> None:
    nats = Nats()
    Desk(nats.witness, nats.describe, nats.verify, nats.damages()).serve()


main()
