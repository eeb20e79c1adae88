"""A server in the same tree, and connections to it that stay open while both are moved."""

import os
import select
import socket
import time

from witness import TICK, Patience

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

START_SECONDS = 90
"""An emulated guest takes its time to start a virtual machine for Java."""


def start(argv: "Sequence[str]", output: str, environment: "Mapping[str, str] | None" = None) -> int:
    """Start a server that writes to the file `output`. Returns its pid."""
    log = (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    return os.posix_spawnp(
        argv[0],
        argv,
        {**os.environ, **(environment or {})},
        file_actions=[log, (os.POSIX_SPAWN_DUP2, 1, 2)],
        setsigmask=[],
    )


def is_running(pid: int) -> bool:
    """Whether it is this process's child and has not ended."""
    return os.waitpid(pid, os.WNOHANG) == (0, 0)


def settle(what: str, condition: "Callable[[], bool]") -> None:
    """Wait until it holds. Raises `TimeoutError` saying what does not."""
    for _ in range(int(START_SECONDS / TICK)):
        if condition():
            return
        time.sleep(TICK)
    raise TimeoutError(what)


class Connection:
    """One TCP connection over loopback. What does not come in time comes out short; nothing raises after a move."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(("127.0.0.1", port))
        self.heard = b""

    def port(self) -> int:
        """This end's: whoever dials anew gets another."""
        number: int = self.socket.getsockname()[1]
        return number

    def say(self, content: bytes) -> None:
        try:
            self.socket.sendall(content)
        except OSError as error:
            self.heard += f"cannot be written to: {error}\r\n".encode()

    def more(self, seconds: float) -> bool:
        """Receive what there is. False if nothing came."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return False
        try:
            content = self.socket.recv(65536)
        except OSError as error:
            content = f"cannot be read: {error}\r\n".encode()
        self.heard += content
        return bool(content)

    def line(self) -> str:
        """The next line without its end; what came of it if it does not end in time."""
        while b"\n" not in self.heard and self.more(Patience.seconds):
            pass
        line, _, self.heard = self.heard.partition(b"\n")
        return line.rstrip(b"\r").decode("latin-1")

    def bytes(self, size: int) -> bytes:
        """The next `size` bytes, or as many as came."""
        while len(self.heard) < size and self.more(Patience.seconds):
            pass
        content, self.heard = self.heard[:size], self.heard[size:]
        return content

    def ask(self, request: str) -> str:
        """A line, and the line that answers it."""
        self.say(f"{request}\r\n".encode())
        return self.line()

    def is_silent(self) -> bool:
        """Nothing to read now, and no end either."""
        return not self.heard and not select.select([self.socket], [], [], 0)[0]

    def close(self) -> None:
        self.socket.close()


def dial(port: int, server: int) -> Connection:
    """Connect to a server as soon as it listens. Raises `ConnectionError` if it ends before."""
    for _ in range(int(START_SECONDS / TICK)):
        try:
            return Connection(port)
        except ConnectionRefusedError:
            time.sleep(TICK)
        if not is_running(server):
            break
    raise ConnectionError(f"the server on port {port} does not listen")
