"""How a run tells what it does: one live line on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from harness.matrix.cell import Outcome
from harness.matrix.ledger import Attempt
from harness.report.sanitize import visible

PLAIN_EVERY = 15.0
"""Seconds between two plain lines."""


class Progress(Protocol):
    """Somebody to tell."""

    def say(self, text: str) -> None:
        """A line of its own."""

    def start(self, total: int) -> None:
        """So many cells there will be."""

    def tell(self, attempt: Attempt) -> None:
        """One more cell has its last word."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def make_progress(*, quiet: bool = False, stream: TextIO | None = None) -> Progress:
    """Live on a terminal, lines otherwise, nothing beside pytest's own reporter."""
    stream = stream or sys.stderr
    if quiet:
        return Silent()
    if stream.isatty():
        return Live(Console(file=stream))
    return Lines(stream)


class _Counts:
    def __init__(self) -> None:
        self.total = 0
        self.started = time.monotonic()
        self.outcomes: Counter[Outcome] = Counter()

    @property
    def done(self) -> int:
        return self.outcomes.total()

    def words(self) -> str:
        """`12 pass, 3 fail`, worst last."""
        return (
            ", ".join(f"{self.outcomes[o]} {o}" for o in sorted(self.outcomes, key=lambda o: o.rank)) or "-"
        )

    def left(self) -> str:
        """Time left, from the pace so far."""
        if not self.done:
            return "-:--"
        seconds = round((time.monotonic() - self.started) / self.done * (self.total - self.done))
        return f"{seconds // 60}:{seconds % 60:02}"


class Silent:
    """Says nothing while pytest's own terminal reporter does the talking."""

    def say(self, text: str) -> None:
        """Nothing."""

    def start(self, total: int) -> None:
        """Nothing."""

    def tell(self, attempt: Attempt) -> None:
        """Nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Lines:
    """Plain lines: a failing cell at once, a summary now and then."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._counts = _Counts()
        self._last = time.monotonic()

    def say(self, text: str) -> None:
        """A line."""
        print(visible(text), file=self._stream, flush=True)

    def start(self, total: int) -> None:
        """Remember how many there will be."""
        self._counts.total = total
        self._counts.started = time.monotonic()

    def tell(self, attempt: Attempt) -> None:
        """Count; say what is not well; sum up every `PLAIN_EVERY` seconds."""
        self._counts.outcomes[attempt.outcome] += 1
        if attempt.outcome not in (Outcome.PASS, Outcome.SKIP):
            self.say(_line(attempt))
        now = time.monotonic()
        if now - self._last >= PLAIN_EVERY or self._counts.done == self._counts.total:
            self._last = now
            self.say(
                f"{self._counts.done} of {self._counts.total} cells: {self._counts.words()}; "
                f"{self._counts.left()} left"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Live:
    """One line that changes, failing cells above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._counts = _Counts()
        self._bar = Bar(
            TextColumn("cells"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[words]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]} left", markup=False),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("cells", total=None, words="-", left="-:--")

    def say(self, text: str) -> None:
        """A line above the live one."""
        self._console.print(visible(text), markup=False, highlight=False, soft_wrap=True)

    def start(self, total: int) -> None:
        """Remember how many there will be."""
        self._counts.total = total
        self._counts.started = time.monotonic()
        self._bar.update(self._task, total=total)

    def tell(self, attempt: Attempt) -> None:
        """Count, and show what is not well."""
        self._counts.outcomes[attempt.outcome] += 1
        if attempt.outcome not in (Outcome.PASS, Outcome.SKIP):
            self.say(_line(attempt))
        words, left = self._counts.words(), self._counts.left()
        self._bar.update(self._task, completed=self._counts.done, words=words, left=left)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _line(attempt: Attempt) -> str:
    return f"{attempt.outcome}: {attempt.cell} ({attempt.phase}): {attempt.error}"
