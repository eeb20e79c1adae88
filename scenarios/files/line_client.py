"""The client of a small server that exists in several languages; it starts it and stays connected.

What the server is told, a line each: `set KEY VALUE`, `get KEY`; `wait KEY` is answered when another connection sets
the key; `status` gives `pid id connections waiting`; `beats` how often its timer has fired; `sum SEED` starts a loop
that never ends, `rounds` tells how far it has come; `churn` how many objects it keeps and a sum over them.
"""

import os
import signal

from peers import Connection, dial, is_running, settle, start
from witness import Desk, Patience, Witness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from witness import Check

PORT = 7000
KEYS = 60
SUM_MULTIPLIER, SUM_INCREMENT, SUM_MASK = 1664525, 1013904223, (1 << 32) - 1


def advance(state: int, rounds: int) -> int:
    """The loop's state after so many rounds, in logarithmic time."""
    factor, offset, square, square_offset = 1, 0, SUM_MULTIPLIER, SUM_INCREMENT
    while rounds:
        if rounds & 1:
            factor, offset = factor * square & SUM_MASK, (offset * square + square_offset) & SUM_MASK
        square, square_offset = (
            square * square & SUM_MASK,
            (square_offset * square + square_offset) & SUM_MASK,
        )
        rounds >>= 1
    return (state * factor + offset) & SUM_MASK


class Lines:
    """The server and two connections to it, of which one waits for an answer."""

    def __init__(self, argv: "Sequence[str]", environment: "Mapping[str, str] | None" = None) -> None:
        self.argv = argv
        self.environment = environment
        self.witness = Witness()
        self.seed = int(self.witness.word("seed")[:8], 16)
        self.begin()

    def begin(self) -> None:
        self.server = start(self.argv, "server.log", self.environment)
        self.asking = dial(PORT, self.server)
        for number in range(KEYS):
            self.asking.say(f"set key{number} {self.witness.word(f'key {number}')}\n".encode())
        for _ in range(KEYS):
            self.asking.line()
        self.asking.ask(f"sum {self.seed}")
        self.wait()

    def wait(self) -> None:
        self.waiting = Connection(PORT)
        self.waiting.say(b"wait late\n")
        settle("nobody waits", lambda: self.status()[2:4] == ["2", "1"])
        settle("the loop does not run", lambda: self.number("rounds") > 0)

    def status(self) -> list[str]:
        """The server's pid, the word that it made up when it began, its connections, those of them that wait."""
        return self.asking.ask("status").split()

    def rouse(self) -> None:
        """The first answer after a move may take long; those that come late would be taken for others."""
        self.asking.say(b"status\n")
        for _ in range(4):
            if self.asking.more(Patience.seconds):
                break
        self.asking.line()

    def number(self, what: str, index: int = 0) -> int:
        words = self.asking.ask(what).split()
        return int(words[index]) if len(words) > index and words[index].isdigit() else -1

    def describe(self) -> dict[str, object]:
        self.rouse()
        return {
            "server": self.server,
            "status": " ".join(self.status()),
            "churn": self.asking.ask("churn"),
            "beats": self.number("beats"),
            "rounds": self.number("rounds"),
            "ports": [self.asking.port(), self.waiting.port()],
        }

    def verify(self) -> "Iterator[Check]":
        yield "the server is not this process's child any more", is_running(self.server)
        for number in range(KEYS):
            found = self.asking.ask(f"get key{number}")
            yield f"key{number}: is {found}", found == self.witness.word(f"key {number}")
        yield "loop: does not go on", self.grows("rounds")
        yield "loop: its state does not follow from its rounds", self.follows()
        yield "timer: does not fire", self.grows("beats")
        yield "waiting connection: has an answer, or is gone", self.waiting.is_silent()
        self.asking.ask(f"set late {self.witness.word('late')}")
        yield "waiting connection: not answered", self.waiting.line() == self.witness.word("late")
        yield (
            "waiting connection: of no use afterwards",
            self.waiting.ask("get key1") == self.witness.word("key 1"),
        )
        later = Connection(PORT)
        yield "a new connection gets no answer", later.ask("get late") == self.witness.word("late")

    def follows(self) -> bool:
        words = self.asking.ask("rounds").split()
        if len(words) != 2 or not all(word.isdigit() for word in words):
            return False
        return advance(self.seed, int(words[0])) == int(words[1])

    def grows(self, what: str) -> bool:
        before = self.number(what)
        return before >= 0 and any(self.number(what) > before for _ in Patience.naps())

    def damages(self) -> "dict[str, Callable[[], object]]":
        return {
            "key": lambda: self.asking.ask(f"set key17 {self.witness.word('key 18')}"),
            "answered": lambda: self.asking.ask("set late stray"),
            "loop": lambda: self.asking.ask("sum 1"),
            "timer": lambda: self.asking.ask("stop"),
            "reconnected": self.reconnect,
            "server": self.restart,
        }

    def reconnect(self) -> None:
        before = self.waiting
        self.waiting = Connection(PORT)  # while the old one is there, or its port may be chosen again
        before.close()
        self.waiting.say(b"wait late\n")

    def restart(self) -> None:
        os.kill(self.server, signal.SIGKILL)
        os.waitpid(self.server, 0)
        self.begin()

    def serve(self) -> None:
        Desk(self.witness, self.describe, self.verify, self.damages()).serve()
