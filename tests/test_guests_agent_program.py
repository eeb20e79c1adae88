"""The guest's own end of the lab: compiled, and spoken to as a process over a terminal."""

from __future__ import annotations

import os
import pty
import select
import struct
import subprocess
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.deadline import Deadline
from harness.guests import agent as agents
from harness.guests.agent import MAX_PAYLOAD, Reply, Request, exec_payload, frame
from harness.images.agent import GUEST_PATH, compile_program

Frame = tuple[int, int, bytes]
HEADER = struct.Struct("<IIII")


class Program:
    """The agent's process and the host's end of its port, a pseudo terminal in raw mode."""

    def __init__(self, binary: Path) -> None:
        self.port, other = pty.openpty()
        tty.setraw(self.port)
        tty.setraw(other)
        self.process = subprocess.Popen([binary, os.ttyname(other)], stderr=subprocess.PIPE)
        self._other = other
        self._frames = agents._Frames()
        self._found: list[Frame] = []
        self._numbers = iter(range(1, 1000))

    def send(self, kind: int, payload: bytes = b"") -> int:
        number = next(self._numbers)
        self.write(frame(Request(kind), number, payload))
        return number

    def write(self, data: bytes) -> None:
        while data:
            _, writable, _ = select.select([], [self.port], [], 20)
            assert writable, "the agent does not read"
            data = data[os.write(self.port, data[:1024]) :]

    def receive(self, seconds: float = 20.0) -> Frame | None:
        deadline = Deadline.after(seconds)
        while not self._found and select.select([self.port], [], [], deadline.remaining)[0]:
            self._found += self._frames.feed(os.read(self.port, 1 << 16))
        return self._found.pop(0) if self._found else None

    def outcome(self, number: int) -> tuple[int, bytes, bytes]:
        """Exit code, stdout and stderr."""
        output = {Reply.STDOUT: b"", Reply.STDERR: b""}
        while got := self.receive():
            assert got[0] == number
            if got[1] == Reply.EXITED:
                code: int = struct.unpack("<IIQ", got[2])[0]
                return code, output[Reply.STDOUT], output[Reply.STDERR]
            output[Reply(got[1])] += got[2]
        raise AssertionError("the agent is silent")

    def run(self, *argv: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
        return self.outcome(self.send(Request.EXEC, exec_payload(argv, stdin)))

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self.port)
        os.close(self._other)


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("agent") / "agent"
    compile_program(GUEST_PATH, path)
    return path


@pytest.fixture
def program(binary: Path) -> Iterator[Program]:
    made = Program(binary)
    yield made
    assert made.process.poll() is None, "the agent ended"
    made.close()


def test_it_answers(program: Program) -> None:
    assert program.send(Request.PING) == 1
    assert program.receive() == (1, Reply.PONG, b"")


def test_it_runs_a_command(program: Program) -> None:
    script = "cat; echo oh >&2; exit 7"
    assert program.run("/bin/sh", "-c", script, stdin=b"in\0\xff\n") == (7, b"in\0\xff\n", b"oh\n")
    assert program.run("printf", "%s", "ä\udcff ' ") == (0, b"\xc3\xa4\xff ' ", b"")


def test_it_says_why_a_command_cannot_be_run(program: Program) -> None:
    code, out, err = program.run("/no/such/thing")
    assert (code, out) == (127, b"")
    assert err == b"/no/such/thing: No such file or directory\n"
    assert program.run("/etc/passwd")[0] == 126


def test_a_signal_is_told_as_a_shell_tells_it(program: Program) -> None:
    assert program.run("/bin/sh", "-c", "kill -SEGV $$")[0] == 128 + 11


def test_large_output_and_input_come_whole(program: Program) -> None:
    data = bytes(range(256)) * 8192
    assert program.run("cat", stdin=data) == (0, data, b"")


def _runs(pid: int) -> bool:
    """Whether a process exists and is no zombie; a signal needs a moment to end it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_running_command_can_be_killed_with_its_children(program: Program) -> None:
    number = program.send(Request.EXEC, exec_payload(("sh", "-c", "sleep 1000 & echo $!; sleep 1000")))
    got = program.receive()
    assert got is not None
    child = int(got[2])
    program.send(Request.SIGNAL, struct.pack("<I", 9))
    assert program.outcome(number)[0] == 128 + 9
    deadline = Deadline.after(10)
    while _runs(child):
        assert not deadline.passed, "the command's child runs on"
        time.sleep(0.01)


def test_a_kill_that_comes_at_once_is_not_lost(program: Program) -> None:
    for _ in range(50):
        number = program.send(Request.EXEC, exec_payload(("sleep", "1000")))
        program.send(Request.SIGNAL, struct.pack("<I", 9))
        assert program.outcome(number)[0] == 128 + 9


def test_only_one_command_at_a_time(program: Program) -> None:
    first = program.send(Request.EXEC, exec_payload(("sleep", "1000")))
    second = program.send(Request.EXEC, exec_payload(("true",)))
    assert program.receive() == (second, Reply.FAILED, b"a command is running: Device or resource busy")
    program.send(Request.SIGNAL, struct.pack("<I", 15))
    assert program.outcome(first)[0] == 128 + 15
    assert program.run("true")[0] == 0


def test_a_signal_without_a_command_does_nothing(program: Program) -> None:
    program.send(Request.SIGNAL, struct.pack("<I", 9))
    assert program.run("true")[0] == 0


def test_a_daemon_left_behind_keeps_nobody_waiting(program: Program) -> None:
    code, out, _ = program.run("/bin/sh", "-c", "sleep 1000 & echo $!; exit 5")
    assert code == 5
    os.kill(int(out), 9)


def test_a_daemon_that_writes_without_end_keeps_nobody_waiting(program: Program, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    assert program.run("/bin/sh", "-c", f"trap '' PIPE; yes & echo $! >{pid}; exit 5")[0] == 5
    assert program.run("true")[0] == 0


def test_it_writes_a_file(program: Program, tmp_path: Path) -> None:
    path, data = tmp_path / "file", os.urandom(1 << 20)
    number = program.send(Request.WRITE, str(path).encode() + b"\0" + data)
    assert program.receive() == (number, Reply.PONG, b"")
    assert path.read_bytes() == data
    assert path.stat().st_mode & 0o777 == 0o755
    number = program.send(Request.WRITE, b"/no/such/file\0")
    assert program.receive() == (number, Reply.FAILED, b"/no/such/file: No such file or directory")


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (Request.EXEC, b""),
        (Request.EXEC, struct.pack("<I", 0)),
        (Request.EXEC, struct.pack("<I", 0xFFFFFFFF)),
        (Request.EXEC, struct.pack("<I", 3) + b"a\0b\0c"),
        (Request.WRITE, b"no end"),
        (Request.WAKE, b"short"),
    ],
)
def test_a_malformed_request_is_refused(program: Program, kind: Request, payload: bytes) -> None:
    number = program.send(kind, payload)
    got = program.receive()
    assert got is not None
    assert got[:2] == (number, Reply.FAILED)
    assert program.run("true")[0] == 0


def test_an_unknown_request_is_refused(program: Program) -> None:
    program.write(HEADER.pack(0x584D4B01, 77, 33, 0))
    got = program.receive()
    assert got is not None
    assert got[:2] == (77, Reply.FAILED)


@pytest.mark.parametrize(
    "garbage", [b"x", b"\1KM", b"\1" * 17, HEADER.pack(0x584D4B01, 1, 1, MAX_PAYLOAD + 1)]
)
def test_it_finds_the_next_request_after_garbage(program: Program, garbage: bytes) -> None:
    program.write(garbage)
    assert program.run("echo", "here") == (0, b"here\n", b"")


def test_a_request_may_come_in_pieces(program: Program) -> None:
    for byte in frame(Request.EXEC, 5, exec_payload(("echo", "here"))):
        os.write(program.port, bytes([byte]))
    assert program.outcome(5) == (0, b"here\n", b"")


def test_it_needs_a_port(binary: Path) -> None:
    assert subprocess.run([binary], capture_output=True, check=False).returncode == 2
    lost = subprocess.run([binary, "/no/port"], capture_output=True, check=False)
    assert (lost.returncode, lost.stderr) == (1, b"kmatrix-agent: /no/port: No such file or directory\n")
