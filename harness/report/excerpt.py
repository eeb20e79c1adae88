"""What is worth reading of a log at once: commands, what surrounds the first true error, the end of anything else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harness.matrix.cell import Outcome
from harness.matrix.ledger import Attempt
from harness.report.rundir import Run
from harness.report.sanitize import visible
from harness.verdict.signature import find_error

_READ = 8 << 20
"""Bytes of a log that are read at most, from its end: the error is what was written last."""
_TELLING = ("dump", "restore", "criu", "traceback", "dmesg", "console")
"""Logs in the order in which they tell why."""
_MOST_LOGS = 2
_MOST_TRIED = 3
"""Cells of a signature whose logs are looked at."""


@dataclass(frozen=True)
class Limits:
    """How much of a log is shown."""

    around: int = 6
    """Lines before the error, and as many behind it."""
    tail: int = 20
    """Lines where there is no error to be shown."""
    line: int = 300
    """Characters of a line."""
    read: int = _READ
    """Bytes that are looked at, from the log's end."""


TERMINAL = Limits()
PAGE = Limits(around=4, tail=8, line=240, read=1 << 20)
"""For what is embedded by the dozen; the whole log is a click away."""


@dataclass(frozen=True)
class Excerpt:
    """A piece of a log. Its texts went through `visible`, and want their format's escaping."""

    name: str
    """The log's, as the ledger has it."""
    about: str
    """Which piece it is, in words."""
    first: int
    """Number of its first line, from 1; of what was read, if the beginning was not."""
    lines: tuple[str, ...]
    marked: int | None
    """Which of the lines is the error, from 0."""

    @property
    def title(self) -> str:
        """What stands above it."""
        return f"{self.name}, {self.about}" if self.about else self.name


def excerpt(
    name: str, path: Path | None, error: str | None = None, limits: Limits = TERMINAL
) -> Excerpt | None:
    """The piece of a log that is worth reading; None if there is no such log or nothing in it.

    `error` is what the ledger says, which is looked for where CRIU reports none itself.
    """
    if path is None:
        return None
    try:
        text, whole = _read(path, limits.read)
    except OSError as failure:
        return Excerpt(visible(name, 40), f"cannot be read: {failure.strerror}", 1, (), None)
    return cut(name, text, error, limits, whole=whole)


def cut(
    name: str, text: str, error: str | None = None, limits: Limits = TERMINAL, *, whole: bool = True
) -> Excerpt | None:
    """The same for a log's text; `whole` says that its beginning is the log's."""
    lines = text.rstrip("\n").split("\n")
    if not text.strip():
        return None
    of = f"of {len(lines)}" if whole else f"of the {len(lines)} at its end"
    marked = None
    if "command" in name:
        about, start, end = "", 0, limits.tail
    elif (found := find_error(text)) is not None:
        marked = found.number
        about = f"around the first true error (line {marked + 1} {of})"
    elif (marked := _told(lines, error)) is not None:
        about = f"around the error (line {marked + 1} {of})"
    else:
        start, end = max(0, len(lines) - limits.tail), len(lines)
        about = f"its end ({len(lines)} lines{'' if whole else ' were looked at'})"
    if marked is not None:
        start, end = max(0, marked - limits.around), marked + limits.around + 1
    shown = tuple(visible(line.removesuffix("\r"), limits.line) for line in lines[start:end])
    return Excerpt(visible(name, 40), about, start + 1, shown, None if marked is None else marked - start)


def _told(lines: list[str], error: str | None) -> int | None:
    """The last line that has the ledger's error, or what stands behind the lab's own words in it."""
    if not error:
        return None
    for needle in (error, error.partition(": ")[2]):
        if needle:
            for number in range(len(lines) - 1, -1, -1):
                if needle in lines[number]:
                    return number
    return None


def _read(path: Path, most: int) -> tuple[str, bool]:
    """The end of a file, and whether that is all of it."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - most))
        return file.read(most).decode("utf-8", "replace"), size <= most


def excerpts_by_signature(
    run: Run, cells: pd.DataFrame, limits: Limits = PAGE
) -> dict[tuple[str, str], tuple[Excerpt, ...]]:
    """By phase and signature, as `frames.causes` has them: what the logs of one cell of it say, the telling ones only.

    The cell is the first of `cells` that still has a log with the error in it, or else the first that has any.
    """
    found: dict[tuple[str, str], tuple[Excerpt, ...]] = {}
    tried: dict[tuple[str, str], int] = {}
    last = {str(cell): attempt for cell, attempt in run.final.items()}
    columns = (cells[name] for name in ("cell", "outcome", "phase", "signature"))
    for name, outcome, phase, signature in zip(*columns, strict=True):
        key = (phase, signature if isinstance(signature, str) else "")
        if outcome == Outcome.PASS or tried.get(key, 0) >= _MOST_TRIED or _marks(found.get(key, ())):
            continue
        tried[key] = tried.get(key, 0) + 1
        here = telling(run, last[name], limits)
        if here and (key not in found or _marks(here)):
            found[key] = here
    return found


def telling(run: Run, attempt: Attempt, limits: Limits = PAGE) -> tuple[Excerpt, ...]:
    """Excerpts of an attempt's logs that show its error; if none does, of the first one that says anything."""
    looked = [
        one
        for name in sorted(attempt.logs.keys() & _TELLING, key=_TELLING.index)
        if (one := excerpt(name, run.log(attempt.logs[name]), attempt.error, limits)) is not None
    ]
    marking = tuple(one for one in looked if one.marked is not None)
    return marking[:_MOST_LOGS] or tuple(looked[:1])


def _marks(excerpts: tuple[Excerpt, ...]) -> bool:
    return any(one.marked is not None for one in excerpts)
