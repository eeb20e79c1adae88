"""What every Python workload shares: a witness of its own identity, questions from the lab, reports about itself.

The counterpart of `workload.h`. It brings little of the standard library along: under emulation json, hashlib,
pathlib, subprocess and signal's enums take 1.5 s to import.
"""

# ruff: noqa: PTH104, PTH123 - pathlib is dear
import _signal as signal
import os
import random
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Check = tuple[str, bool]
    """What must hold, in the words that are reported when it does not; and whether it does."""

TICK = 0.005
MULTIPLIER, INCREMENT, MASK = 6364136223846793005, 1442695040888963407, (1 << 64) - 1


class Patience:
    """How long to wait for what should happen; little once something is wrong, or the report would come too late."""

    seconds = float(os.environ.get("WAIT_MS", "6000")) / 1000

    @classmethod
    def lose(cls) -> None:
        cls.seconds = min(cls.seconds, 0.2)

    @classmethod
    def naps(cls) -> "Iterator[None]":
        """Naps until patience is at an end: counted, for a clock that jumps must not decide how long this takes."""
        for _ in range(int(cls.seconds / TICK)):
            yield
            time.sleep(TICK)


def chain(state: int) -> "Iterator[int]":
    """A generator: its frame, with the state in it, lives in the interpreter's memory alone."""
    while True:
        state = (state * MULTIPLIER + INCREMENT) & MASK
        yield state


def read(name: str) -> bytes:
    with open(name, "rb") as file:
        return file.read()


def write(name: str, content: bytes) -> None:
    with open(name, "wb") as file:
        file.write(content)


def as_json(value: object) -> str:
    """A report's value. Of text, which may quote another program, every character that needs an escape is lost."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + "".join(c if c.isprintable() and c not in '"\\' else "?" for c in value) + '"'
    if isinstance(value, list):
        return f"[{', '.join(map(as_json, value))}]"
    return repr(value)


class Witness:
    """Who this process is, and how far it has come. Make it before any thread or child: all inherit the mask."""

    def __init__(self) -> None:
        # Taken by sigwait alone, so that asking interrupts nothing under test.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        self.nonce = os.urandom(16)
        self.pid = os.getpid()
        self.ticks = 0
        self.restart_chain(int.from_bytes(self.nonce[:8], "big"))

    def restart_chain(self, state: int) -> None:
        self.generator = chain(state)
        self.state = 0

    def tick(self) -> None:
        self.ticks += 1
        self.state = next(self.generator)

    def content(self, part: str, size: int) -> bytes:
        """Bytes that follow from the nonce; every part under test has a name of its own."""
        return random.Random(self.nonce + part.encode()).randbytes(size)

    def word(self, part: str) -> str:
        """Sixteen letters and digits that follow from the nonce."""
        return self.content(part, 8).hex()

    def facts(self) -> dict[str, object]:
        return {
            "pid": os.getpid(),
            "remembered_pid": self.pid,
            "nonce": self.nonce.hex(),
            "ticks": self.ticks,
            "chain": self.state,
        }


class Desk:
    """Where the lab asks: `describe` reports steady facts and changes nothing, `verify` may consume what is under
    test, `damages` are the ways to damage it on purpose."""

    def __init__(
        self,
        witness: Witness,
        describe: "Callable[[], dict[str, object]]",
        verify: "Callable[[], Iterable[Check]]",
        damages: "Mapping[str, Callable[[], object]]",
    ) -> None:
        self.witness = witness
        self.describe = describe
        self.verify = verify
        self.damages = damages

    def ready(self) -> None:
        """Tell the lab that the state to be dumped has been reached."""
        self.witness.tick()
        write("ready", b"")

    def turn(self) -> None:
        """Tick, and answer if the lab has asked."""
        self.witness.tick()
        # Not sigtimedwait: interrupted by a signal after its time is up, CPython returns an uninitialised siginfo.
        if signal.SIGUSR1 in signal.sigpending():
            signal.sigwait({signal.SIGUSR1})
            self.answer(read("question").decode())

    def serve(self) -> None:
        """Say that the state has been reached, then answer the lab for ever."""
        self.ready()
        while True:
            self.turn()
            time.sleep(TICK)

    def answer(self, question: str) -> None:
        if question.startswith("corrupt "):
            self.damages[question.removeprefix("corrupt ")]()
        report = {**self.witness.facts(), **self.describe()}
        report["mismatches"] = self.mismatches() if question == "check" else []
        fields = ", ".join(f'"{name}": {as_json(value)}' for name, value in report.items())
        write("report.json.new", f"{{{fields}}}".encode())
        os.rename("report.json.new", "report.json")

    def mismatches(self) -> list[str]:
        wrong = []
        for what, holds in self.verify():
            if not holds:
                wrong.append(what)
                Patience.lose()
        return wrong
