"""The host's end of the guest's agent: frames, deadlines, what a silent or broken agent is told as."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from harness.deadline import Deadline
from harness.errors import DeadlineExceeded, GuestCommandFailed, GuestLost, QemuDied
from harness.guests import agent as agents
from harness.guests.agent import MAX_PAYLOAD, Agent, Reply, Request, exec_payload, frame
from harness.guests.bindings import libvirt

Frame = tuple[int, int, bytes]
HEADER = struct.Struct("<IIII")


def answer(kind: Reply, number: int, payload: bytes = b"") -> bytes:
    return HEADER.pack(0x584D4B01, number, kind, len(payload)) + payload


STREAM = answer(Reply.PONG, 1) + answer(Reply.STDOUT, 2, b"hello \1KMX") + answer(Reply.EXITED, 2, bytes(16))
FRAMES: list[Frame] = [(1, 65, b""), (2, 66, b"hello \1KMX"), (2, 68, bytes(16))]


def fed(*parts: bytes) -> list[Frame]:
    frames = agents._Frames()
    return [one for part in parts for one in frames.feed(part)]


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_frames_are_whole_wherever_the_stream_is_cut(cut: int) -> None:
    assert fed(STREAM[:cut], STREAM[cut:]) == FRAMES


def test_frames_come_byte_by_byte() -> None:
    assert fed(*(bytes([byte]) for byte in STREAM)) == FRAMES


@pytest.mark.parametrize(
    "garbage",
    [
        b"x",
        b"\1KM",
        b"\1\1KM\1KM",
        b"garbage of some length \x01KM",
        HEADER.pack(0x584D4B01, 1, 65, MAX_PAYLOAD + 1),
        bytes(range(256)) * 300,
    ],
)
def test_garbage_before_a_frame_is_skipped(garbage: bytes) -> None:
    whole = garbage + STREAM
    assert fed(whole)[-3:] == FRAMES
    assert fed(*(whole[i : i + 3] for i in range(0, len(whole), 3)))[-3:] == FRAMES


def test_a_megabyte_of_garbage_takes_no_time() -> None:
    started = time.monotonic()
    assert fed(b"\1KM" * 1_000_000, STREAM)[-3:] == FRAMES
    assert time.monotonic() - started < 2


def test_half_a_frame_is_forgotten() -> None:
    frames = agents._Frames()
    frames.feed(answer(Reply.STDOUT, 1, bytes(5000))[:100])
    frames.forget()
    assert frames.feed(STREAM) == FRAMES


def test_what_cannot_be_said_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        frame(Request.WRITE, 1, bytes(MAX_PAYLOAD + 1))
    with pytest.raises(ValueError, match="NUL"):
        exec_payload(("echo", "a\0b"))


# The host's end, with a guest that answers as the test says.


class Wire:
    """In place of a libvirt stream: answers each request by `respond(number, kind, payload)`."""

    def __init__(self, respond: Callable[[int, int, bytes], list[Frame]]) -> None:
        self.respond = respond
        self.sent: list[int] = []
        self.inbox: list[Frame] = []

    def send(self, data: bytes) -> None:
        _, number, kind, _ = HEADER.unpack_from(data)
        self.sent.append(kind)
        self.inbox += self.respond(number, kind, data[HEADER.size :])

    def receive(self, seconds: float) -> Frame | None:
        if self.inbox:
            return self.inbox.pop(0)
        time.sleep(min(seconds, 0.01))
        return None

    def forget(self) -> None:
        self.inbox.clear()

    def close(self) -> None:
        pass


Talk = Callable[[Callable[[int, int, bytes], list[Frame]], Callable[[], None]], tuple[Agent, Wire]]


@pytest.fixture
def talk(monkeypatch: pytest.MonkeyPatch) -> Talk:
    def make(
        respond: Callable[[int, int, bytes], list[Frame]], watch: Callable[[], None] = lambda: None
    ) -> tuple[Agent, Wire]:
        wire = Wire(respond)
        monkeypatch.setattr(agents, "_Wire", lambda *_arguments: wire)
        monkeypatch.setattr(agents, "_ANSWER_SECONDS", 0.2)
        monkeypatch.setattr(agents, "_CAUSE_SECONDS", 0.2)
        nothing: Any = None
        return Agent(nothing, nothing, "port", watch), wire

    return make


def exited(number: int, code: int = 0) -> Frame:
    return (number, Reply.EXITED, struct.pack("<IIQ", code, 0, 1_500_000_000))


def test_output_comes_together_and_other_numbers_are_passed_over(talk: Talk) -> None:
    def respond(number: int, _kind: int, _payload: bytes) -> list[Frame]:
        return [
            (number - 1, Reply.STDOUT, b"old"),
            exited(number - 1, 9),
            (number, Reply.STDOUT, b"a"),
            (number, Reply.STDERR, b"e"),
            (number, Reply.STDOUT, b"b"),
            exited(number, 3),
        ]

    done = talk(respond, lambda: None)[0].run(("x",), Deadline.after(5))
    assert (done.returncode, done.stdout, done.stderr, done.guest_seconds) == (3, b"ab", b"e", 1.5)


def test_a_command_that_takes_too_long_is_killed(talk: Talk) -> None:
    numbers = []

    def respond(number: int, kind: int, _payload: bytes) -> list[Frame]:
        numbers.append(number)
        return [exited(numbers[0], 137)] if kind == Request.SIGNAL else []

    agent, wire = talk(respond, lambda: None)
    with pytest.raises(DeadlineExceeded, match=r"sleep 9: not done within 0\.1 s"):
        agent.run(("sleep", "9"), Deadline.after(0.1))
    assert wire.sent == [Request.EXEC, Request.SIGNAL]


def test_a_silent_agent_is_lost_unless_the_guest_has_a_graver_trouble(talk: Talk) -> None:
    with pytest.raises(GuestLost, match=r"does not answer within 0\.2 s"):
        talk(lambda *_: [], lambda: None)[0].ping(Deadline.after(5))
    with pytest.raises(GuestLost, match="cannot end a command"):
        talk(lambda *_: [], lambda: None)[0].run(("x",), Deadline.after(0.05))

    def watch() -> None:
        raise QemuDied("gone")

    with pytest.raises(QemuDied):
        talk(lambda *_: [], watch)[0].run(("x",), Deadline.after(5))


def test_an_agent_that_breaks_the_protocol_is_lost(talk: Talk) -> None:
    agent, _ = talk(lambda number, *_: [(number, Reply.EXITED, b"short")], lambda: None)
    with pytest.raises(GuestLost, match="protocol"):
        agent.run(("x",), Deadline.after(5))


def test_output_without_end_is_cut_off(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "MAX_OUTPUT", 1 << 20)
    numbers = []

    def respond(number: int, kind: int, _payload: bytes) -> list[Frame]:
        numbers.append(number)
        if kind == Request.SIGNAL:
            return [exited(numbers[0], 137)]
        return [(number, Reply.STDOUT, bytes(1 << 16))] * 40

    with pytest.raises(GuestCommandFailed, match="printed more than 1 MiB"):
        talk(respond, lambda: None)[0].run(("yes",), Deadline.after(5))


def test_what_the_agent_cannot_do_is_said(talk: Talk) -> None:
    agent, _ = talk(lambda number, *_: [(number, Reply.FAILED, b"/x: Read-only\xff")], lambda: None)
    with pytest.raises(GuestCommandFailed, match="the guest's agent: /x: Read-only"):
        agent.write("/x", b"", Deadline.after(5))
    with pytest.raises(GuestCommandFailed, match="cannot run y"):
        agent.run(("y",), Deadline.after(5))


class Stream:
    """A libvirt stream that takes `takes` bytes a call, then would block."""

    def __init__(self, takes: list[int]) -> None:
        self.takes = takes
        self.taken = b""

    def send(self, data: bytes) -> int:
        size = self.takes.pop(0) if self.takes else -2
        if size > 0:
            self.taken += data[:size]
        return min(size, len(data))


def test_a_slow_reader_gets_all_and_a_deaf_one_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "_ANSWER_SECONDS", 0.05)
    wire = agents._Wire.__new__(agents._Wire)
    wire._stream = stream = Stream([3, -2, 1, -2, 6])
    wire.send(b"0123456789")
    assert stream.taken == b"0123456789"
    with pytest.raises(GuestLost, match="does not read"):
        wire.send(b"0123456789")


# The guest's end.


def test_the_wire_forgets_what_a_stopped_guest_has_sent() -> None:
    class Sent:
        parts: tuple[bytes | int, ...] = (STREAM, answer(Reply.STDOUT, 9, bytes(500))[:40])

        def __init__(self) -> None:
            self.left = list(self.parts)

        def recv(self, _size: int) -> bytes | int:
            return self.left.pop(0) if self.left else -2

    wire = agents._Wire.__new__(agents._Wire)
    wire._reading, wire._arrived, wire._broken = threading.Lock(), threading.Condition(), None
    wire._inbox, wire._frames, wire._stream = agents.deque(), agents._Frames(), Sent()
    wire.forget()
    assert wire.receive(0) is None
    wire._stream.left = [STREAM]
    wire._drain(wire._stream)
    assert wire.receive(0) == FRAMES[0]


def test_a_channel_that_broke_is_told_after_what_came_before() -> None:
    class Broken:
        def __init__(self) -> None:
            self.left: list[bytes] = [STREAM]

        def recv(self, _size: int) -> bytes:
            if self.left:
                return self.left.pop(0)
            raise libvirt.libvirtError("reset by peer")

        def eventRemoveCallback(self) -> None:
            pass

    wire = agents._Wire.__new__(agents._Wire)
    wire._reading, wire._arrived, wire._broken = threading.Lock(), threading.Condition(), None
    wire._inbox, wire._frames, wire._stream = agents.deque(), agents._Frames(), Broken()
    wire._drain(wire._stream)
    assert [wire.receive(0) for _ in FRAMES] == FRAMES
    with pytest.raises(GuestLost, match="reset by peer"):
        wire.receive(0)


def test_a_closed_channel_is_blamed_on_a_qemu_whose_end_libvirt_learns_later(talk: Talk) -> None:
    looks = iter(range(10))

    def watch() -> None:
        if next(looks) == 2:
            raise QemuDied("gone")

    agent, wire = talk(lambda *_: [], watch)

    def closed(_seconds: float) -> None:
        raise GuestLost("the channel is closed")

    wire.receive = closed  # type: ignore[method-assign,assignment]
    with pytest.raises(QemuDied):
        agent.run(("x",), Deadline.after(5))
