"""Starts nginx and stays its client on three connections: one that is kept alive, one with half of a response, one with
half of a request."""

# ruff: noqa: PTH103, PTH108, PTH109 - pathlib is dear
import os
import signal

from peers import Connection, dial, is_running, settle, start
from witness import Desk, Patience, Witness, read, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from witness import Check

PORT = 8080
BIG = 600_000
# A small send buffer: most of a response then waits in the file, which has lost its name.
CONFIGURATION = f"""
daemon off;
user root;
worker_processes 1;
pid nginx.pid;
error_log error.log;
events {{ worker_connections 64; }}
http {{
    access_log access.log;
    keepalive_timeout 20000s;
    client_header_timeout 20000s;
    send_timeout 20000s;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    limit_conn_zone $arg_who zone=guests:64k;
    server {{
        listen 127.0.0.1:{PORT} sndbuf=16k;
        root www;
        sendfile on;
        location /who {{ return 200 "$pid $connection $connection_requests $http_x_word\\n"; }}
        location /status {{ stub_status; }}
        location /big {{ limit_conn guests 1; }}
    }}
}}
"""
COUNTS = ("active", "accepted", "handled", "requests", "reading", "writing", "waiting")


class Client(Connection):
    """A connection that speaks HTTP/1.1 and is not closed after an answer."""

    asked = 0

    def request(self, path: str) -> None:
        self.asked += 1
        self.say(f"GET {path} HTTP/1.1\r\nHost: nginx\r\n\r\n".encode())

    def head(self) -> tuple[str, int]:
        """An answer's status and the length of its body."""
        status, length = self.line().partition(" ")[2], 0
        while line := self.line():
            name, _, value = line.partition(": ")
            length = int(value) if name == "Content-Length" else length
            if name == "Transfer-Encoding":
                raise ValueError("nginx does not say how long its answer is")
        return status, length

    def get(self, path: str) -> str:
        """The body without the line's end; where the status is not 200, the status."""
        self.request(path)
        return self.answer()

    def answer(self) -> str:
        status, length = self.head()
        body = self.bytes(length).decode("latin-1").strip()
        return body if status == "200 OK" else status


class Nginx:
    """The server and its clients."""

    def __init__(self) -> None:
        self.witness = Witness()
        self.big = self.witness.content("big", BIG)
        self.header = self.witness.word("header")
        os.makedirs("www", exist_ok=True)
        write("nginx.conf", CONFIGURATION.encode())
        self.begin()

    def begin(self) -> None:
        here = os.getcwd()
        write("access.log", b"")
        argv = ["nginx", "-p", f"{here}/", "-c", f"{here}/nginx.conf", "-e", f"{here}/error.log"]
        self.server = start(argv, "nginx.log")
        dial(PORT, self.server).close()
        self.kept = Client(PORT)
        self.worker, self.connection, _ = self.kept.get("/who").split()
        self.half_response()
        self.half_request()

    def half_response(self) -> None:
        """The client has read the head and reads no more; nginx alone still has the file."""
        write("www/big", self.big)
        self.reader = Client(PORT)
        self.reader.request("/big?who=guest")
        self.reader_head = self.reader.head()
        os.unlink("www/big")

    def half_request(self) -> None:
        """A header line without its end: what has come of it lies in nginx's memory alone."""
        self.writer = Client(PORT)
        self.writer.say(f"GET /who HTTP/1.1\r\nHost: nginx\r\nX-Word: {self.header[:9]}".encode())
        settle("nginx has not read the half of a request", lambda: self.counts()["reading"] == 1)

    def counts(self) -> dict[str, int]:
        """What nginx says of its connections, this one among them."""
        numbers = [int(word) for word in self.kept.get("/status").split() if word.isdigit()]
        return dict(zip(COUNTS, numbers or [-1] * len(COUNTS), strict=True))

    def describe(self) -> dict[str, object]:
        worker, connection, *_ = [*self.kept.get("/who").split(), "?", "?"]
        return {
            "server": self.server,
            "worker": worker,
            "connection": connection,
            **{name: count for name, count in self.counts().items() if name != "requests"},
            "ports": [client.port() for client in (self.kept, self.reader, self.writer)],
        }

    def verify(self) -> "Iterator[Check]":
        yield "nginx is not this process's child any more", is_running(self.server)
        said = self.kept.get("/who")
        wanted = f"{self.worker} {self.connection} {self.kept.asked}"
        yield f"kept connection: is {said}, expected {wanted}", said == wanted
        yield (
            "limit: a second response to the same guest is begun",
            self.kept.get("/big?who=guest").startswith("503"),
        )
        yield "half a response: began otherwise", self.reader_head == ("200 OK", BIG)
        rest = self.reader.bytes(BIG)
        yield f"half a response: {len(rest)} of {BIG} bytes came", len(rest) == BIG
        yield "half a response: has other bytes", rest == self.big
        yield "half a response: has more than its end", self.reader.is_silent()
        yield "limit: not lifted when the response has ended", self.is_lifted()
        yield "half a request: has an answer, or its connection is gone", self.writer.is_silent()
        self.writer.say(f"{self.header[9:]}\r\n\r\n".encode())
        words = self.writer.answer().split()
        yield f"half a request: the header is {words[-1:]}", words[-1:] == [self.header]
        yield "half a request: answered by another worker", words[:1] == [self.worker]
        yield (
            "a connection is not kept for a second response",
            self.reader.get("/who").split()[:1] == [self.worker],
        )
        yield "access log: has not every request", self.has_logged()
        yield "a new connection gets no answer", Client(PORT).get("/who").split()[:1] == [self.worker]

    def is_lifted(self) -> bool:
        """nginx takes note of the end only after the client has."""
        return any(self.kept.get("/big?who=guest").startswith("404") for _ in Patience.naps())

    def has_logged(self) -> bool:
        wanted = self.kept.asked + self.reader.asked + 1
        return any(read("access.log").count(b"\n") >= wanted for _ in Patience.naps())

    def damages(self) -> "dict[str, Callable[[], object]]":
        return {
            "reconnected": self.reconnect,
            "limit": self.abandon_response,
            "half": lambda: self.writer.say(b"x"),
            "response": lambda: self.reader.bytes(1),
            "reloaded": self.replace_worker,
            "log": lambda: os.truncate("access.log", 0),
            "server": self.restart,
        }

    def reconnect(self) -> None:
        before = self.kept
        self.kept = Client(PORT)  # while the old one is there, or its port may be chosen again
        before.close()

    def abandon_response(self) -> None:
        before = self.reader
        self.reader = Client(PORT)
        before.close()

    def replace_worker(self) -> None:
        """A new worker for new connections; the old one ends those that it has."""
        os.kill(self.server, signal.SIGHUP)
        settle("no other worker", lambda: Client(PORT).get("/who").split()[:1] != [self.worker])

    def restart(self) -> None:
        os.kill(self.server, signal.SIGKILL)
        os.kill(int(self.worker), signal.SIGKILL)
        os.waitpid(self.server, 0)
        self.begin()


def main() -> None:
    nginx = Nginx()
    Desk(nginx.witness, nginx.describe, nginx.verify, nginx.damages()).serve()


main()
