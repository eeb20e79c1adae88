"""The host's end of the guest's agent: run a command under a deadline, write a file, wake it up.

The other end is `images/guest/agent.c`. It speaks over a libvirt stream on the domain's channel, so it works wherever
libvirt reaches. A stream's callbacks come from libvirt's event loop; `_Wire` turns them into frames that a waiting
thread picks up.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from harness.deadline import Deadline
from harness.errors import DeadlineExceeded, GuestCommandFailed, GuestLost
from harness.guests.bindings import libvirt

_HEADER = struct.Struct("<IIII")
_MAGIC = 0x584D4B01
_MAGIC_BYTES = struct.pack("<I", _MAGIC)
_ANSWER_SECONDS = 10.0
"""How long a healthy agent may take to answer; under TCG on a loaded host it needs milliseconds."""
_LOOK_SECONDS = 0.25
"""How often to look whether the guest still lives while its command runs."""
_CAUSE_SECONDS = 3.0
MAX_PAYLOAD = 8 << 20
"""Bytes of one frame; what comes with a greater length is no frame."""
MAX_OUTPUT = 64 << 20
"""Bytes that one command may print. Large data leave a guest by its out port."""
_EXITED = struct.Struct("<IIQ")


class Request(IntEnum):
    """Frames to the guest."""

    PING = 1
    EXEC = 2
    SIGNAL = 3
    WRITE = 4
    WAKE = 5


class Reply(IntEnum):
    """Frames from the guest."""

    PONG = 65
    STDOUT = 66
    STDERR = 67
    EXITED = 68
    FAILED = 69


@dataclass(frozen=True)
class CommandResult:
    """What a command in the guest gave back. `stdout` and `stderr` are untrusted bytes."""

    argv: tuple[str, ...]
    returncode: int
    """As a shell has it: 128 + signal for a command ended by a signal."""
    stdout: bytes
    stderr: bytes
    guest_seconds: float
    """By the guest's own monotonic clock."""
    seconds: float
    """By the host's clock, from the request to the answer."""

    @property
    def text(self) -> str:
        """stdout as text."""
        return self.stdout.decode("utf-8", "replace")


def frame(kind: Request, number: int, payload: bytes = b"") -> bytes:
    """A request as the agent reads it. Raises ValueError if it is too long for one."""
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"{len(payload)} bytes do not fit into a frame of {MAX_PAYLOAD}")
    return _HEADER.pack(_MAGIC, number, kind, len(payload)) + payload


def exec_payload(argv: tuple[str, ...], stdin: bytes = b"") -> bytes:
    """argv and stdin of a command. Raises ValueError if a word holds a NUL, as a word of argv cannot."""
    if any("\0" in word for word in argv):
        raise ValueError("a NUL byte in a command's argument")
    words = b"".join(word.encode("utf-8", "surrogateescape") + b"\0" for word in argv)
    return struct.pack("<I", len(argv)) + words + stdin


class _Frames:
    """Cuts a stream of bytes into frames; skips what is no frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def forget(self) -> None:
        """The rest of a half-received frame will not come."""
        self._buffer.clear()

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """(number, kind, payload) of every frame that is whole by now."""
        self._buffer += data
        found = []
        while len(self._buffer) >= _HEADER.size:
            magic, number, kind, length = _HEADER.unpack_from(self._buffer)
            if magic != _MAGIC or length > MAX_PAYLOAD:
                next_one = self._buffer.find(_MAGIC_BYTES, 1)
                # The last bytes may be the first of a magic number.
                del self._buffer[: next_one if next_one > 0 else 1 - len(_MAGIC_BYTES)]
                continue
            end = _HEADER.size + length
            if len(self._buffer) < end:
                break
            found.append((number, kind, bytes(self._buffer[_HEADER.size : end])))
            del self._buffer[:end]
        return found


class _Wire:
    """A libvirt stream on the domain's channel."""

    def __init__(self, connection: libvirt.virConnect, domain: libvirt.virDomain, port: str) -> None:
        self._frames = _Frames()
        self._inbox: deque[tuple[int, int, bytes]] = deque()
        self._arrived = threading.Condition()
        self._reading = threading.Lock()
        self._broken: str | None = None
        self._stream = connection.newStream(libvirt.VIR_STREAM_NONBLOCK)
        domain.openChannel(port, self._stream, 0)
        self._stream.eventAddCallback(
            libvirt.VIR_STREAM_EVENT_READABLE
            | libvirt.VIR_STREAM_EVENT_HANGUP
            | libvirt.VIR_STREAM_EVENT_ERROR,
            self._on_event,
            None,
        )

    def _on_event(self, stream: libvirt.virStream, _events: int, _opaque: object) -> None:
        self._drain(stream)

    def _drain(self, stream: libvirt.virStream) -> None:
        with self._reading:
            while True:
                try:
                    data = stream.recv(1 << 16)
                except libvirt.libvirtError as error:
                    self._break(str(error))
                    return
                if data == -2:  # nothing more for now
                    return
                if not data:
                    self._break("the stream ended")
                    return
                found = self._frames.feed(data)
                if found:
                    with self._arrived:
                        self._inbox.extend(found)
                        self._arrived.notify_all()

    def forget(self) -> None:
        """Throw away what a stopped guest has sent so far, half a frame included."""
        self._drain(self._stream)
        with self._reading, self._arrived:
            self._frames.forget()
            self._inbox.clear()

    def _break(self, reason: str) -> None:
        with contextlib.suppress(libvirt.libvirtError):
            self._stream.eventRemoveCallback()
        with self._arrived:
            self._broken = reason
            self._arrived.notify_all()

    def send(self, data: bytes) -> None:
        """Write all of it. Raises `GuestLost`."""
        view = memoryview(data)
        patience = Deadline.after(_ANSWER_SECONDS)
        while view:
            try:
                sent = self._stream.send(bytes(view[: 1 << 16]))
            except libvirt.libvirtError as error:
                raise GuestLost(f"the guest's agent cannot be reached: {error}") from error
            if sent == -2:  # the guest reads more slowly than we write
                if patience.passed:
                    raise GuestLost("the guest's agent does not read what it is sent")
                time.sleep(0.002)
                continue
            view = view[sent:]
            patience = Deadline.after(_ANSWER_SECONDS)

    def receive(self, seconds: float) -> tuple[int, int, bytes] | None:
        """The next frame, or None after `seconds`. Raises `GuestLost` when the channel is closed."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._inbox or self._broken, seconds)
            if self._inbox:
                return self._inbox.popleft()
            if self._broken:
                raise GuestLost(f"the guest's agent channel is closed: {self._broken}")
            return None

    def close(self) -> None:
        """Stop listening and let go of the channel."""
        with contextlib.suppress(libvirt.libvirtError):
            self._stream.eventRemoveCallback()
        with contextlib.suppress(libvirt.libvirtError):
            self._stream.abort()


class Agent:
    """The agent of one domain. `watch` is called now and then while waiting and raises if the guest is in trouble.

    Not for use by two threads at once.
    """

    def __init__(
        self,
        connection: libvirt.virConnect,
        domain: libvirt.virDomain,
        port: str,
        watch: Callable[[], None],
    ) -> None:
        self._wire = _Wire(connection, domain, port)
        self._watch = watch
        # From the clock, so that an answer to another connection's request is never taken for one to ours.
        self._numbers = itertools.count(time.monotonic_ns() & 0x3FFFFFFF)

    def ping(self, deadline: Deadline) -> None:
        """Return once the agent answers. Raises `GuestLost` or what is wrong with the guest."""
        self._request(Request.PING, b"", deadline)

    def alive(self, seconds: float = 2.0) -> bool:
        """Whether the agent answers."""
        try:
            self.ping(Deadline.after(seconds))
        except (GuestLost, GuestCommandFailed):
            return False
        return True

    def wake(self, deadline: Deadline) -> None:
        """Set the guest's CLOCK_REALTIME to the host's and reseed its random numbers."""
        self._request(Request.WAKE, struct.pack("<Q", time.time_ns()) + os.urandom(64), deadline)

    def write(self, path: str, data: bytes, deadline: Deadline) -> None:
        """Write a file (mode 0755, under 8 MiB) in the guest."""
        self._request(Request.WRITE, path.encode() + b"\0" + data, deadline)

    def forget(self) -> None:
        """Throw away what the guest has sent so far. For a stopped guest that was just reset: the rest of a frame
        that its old self began would never come, and swallow its new self's answers."""
        self._wire.forget()

    def run(self, argv: tuple[str, ...], deadline: Deadline, stdin: bytes = b"") -> CommandResult:
        """Run a command to its end. Raises `DeadlineExceeded`, or `GuestCommandFailed` if it prints more than
        `MAX_OUTPUT` bytes, after having killed the command's process group."""
        asked = time.monotonic()
        number = self._send(Request.EXEC, exec_payload(argv, stdin))
        output: dict[int, list[bytes]] = {Reply.STDOUT: [], Reply.STDERR: []}
        room = MAX_OUTPUT
        while True:
            kind, payload = self._next(number, deadline, " ".join(argv)[:200])
            if kind in output:
                output[kind].append(payload)
                room -= len(payload)
                if room < 0:
                    self._abandon(number)
                    raise GuestCommandFailed(f"{argv[0]} printed more than {MAX_OUTPUT >> 20} MiB")
            elif kind == Reply.EXITED:
                if len(payload) != _EXITED.size:
                    raise GuestLost("the guest's agent does not keep to its protocol")
                code, _, nanoseconds = _EXITED.unpack(payload)
                return CommandResult(
                    argv,
                    code,
                    b"".join(output[Reply.STDOUT]),
                    b"".join(output[Reply.STDERR]),
                    nanoseconds / 1e9,
                    time.monotonic() - asked,
                )
            else:
                raise GuestCommandFailed(
                    f"the guest cannot run {argv[0]}: {payload.decode('utf-8', 'replace')}"
                )

    def _send(self, kind: Request, payload: bytes) -> int:
        number = next(self._numbers)
        try:
            self._wire.send(frame(kind, number, payload))
        except GuestLost:
            self._find_cause()
            raise
        return number

    def _request(self, kind: Request, payload: bytes, deadline: Deadline) -> None:
        number = self._send(kind, payload)
        limit = deadline.sooner(_ANSWER_SECONDS)
        while True:
            got = self._receive(min(_LOOK_SECONDS, limit.remaining))
            if got is not None and got[0] == number:
                break
            if limit.passed:
                raise GuestLost(f"the guest's agent does not answer within {limit.seconds:g} s")
            self._watch()
        if got[1] == Reply.FAILED:
            raise GuestCommandFailed(f"the guest's agent: {got[2].decode('utf-8', 'replace')}")

    def _next(self, number: int, deadline: Deadline, what: str) -> tuple[int, bytes]:
        while True:
            got = self._receive(min(_LOOK_SECONDS, deadline.remaining))
            if got is not None and got[0] == number:
                return got[1], got[2]
            if deadline.passed:
                self._abandon(number)
                raise DeadlineExceeded(f"{what}: not done within {deadline.seconds:g} s")
            if got is None:
                self._watch()

    def _receive(self, seconds: float) -> tuple[int, int, bytes] | None:
        try:
            return self._wire.receive(seconds)
        except GuestLost:
            self._find_cause()
            raise

    def _find_cause(self) -> None:
        """The channel is closed: raise what is wrong with the guest, if it turns out to be more than that.

        The channel of a QEMU that was killed closes before libvirt knows of its end.
        """
        limit = Deadline.after(_CAUSE_SECONDS)
        while not limit.passed:
            self._watch()
            time.sleep(0.05)

    def _abandon(self, number: int) -> None:
        """Kill a command that took too long and wait for its end, so that the agent is free again."""
        self._send(Request.SIGNAL, struct.pack("<I", signal.SIGKILL))
        limit = Deadline.after(_ANSWER_SECONDS)
        while not limit.passed:
            got = self._receive(min(_LOOK_SECONDS, limit.remaining))
            if got is not None and got[0] == number and got[1] == Reply.EXITED:
                return
            self._watch()
        raise GuestLost("the guest's agent cannot end a command that took too long")

    def close(self) -> None:
        """Let go of the channel."""
        self._wire.close()
