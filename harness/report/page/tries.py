"""Every attempt of a run, packed: what attempts share is told once, what differs is numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from harness.matrix.cell import Cell, Isolation, Outcome, Phase
from harness.matrix.ledger import Attempt
from harness.report.page import pattern
from harness.report.page.pack import Column, Words, pack
from harness.report.rundir import link
from harness.report.sanitize import visible

OUTCOMES = [str(outcome) for outcome in Outcome]
PHASES = [str(phase) for phase in Phase]
ISOLATIONS = [str(isolation) for isolation in Isolation]
NAME = 200
"""Characters of a name that are shown."""
_ERROR = 300
_ERRORS = 100_000
"""Characters of all errors together. Beyond that a cell is told by its cause's error, whose words it has."""
_TICKS = 100
"""Times are counted in hundredths of a second."""
_KIBI = 1024
_NUMBER = re.compile(r"(?<!\d)[1-9]\d{3,8}(?!\d)")
"""Pids, addresses: what tells errors of one cause apart."""

Fate = tuple[int, int, int, int, int, int, int]
"""Places of outcome, phase, isolation, phases that have a time, logs, CRIU, machine."""


def attempts(listed: Sequence[Cell], tried: Mapping[Cell, Sequence[Attempt]]) -> dict[str, Any]:
    """Cell by cell in the order of `listed`; `script/run.js` reads it."""
    flat = [attempt for cell in listed for attempt in tried[cell]]
    errors, error_column, numbers = _errors(flat)
    shapes: dict[tuple[str, ...], int] = {}
    logs: dict[tuple[tuple[str, str], ...], int] = {}
    fates: dict[Fate, int] = {}
    criu, machines, column, times = Words(), Words(), [], []
    for attempt in flat:
        fate = (
            OUTCOMES.index(attempt.outcome),
            PHASES.index(attempt.phase),
            ISOLATIONS.index(attempt.isolation),
            shapes.setdefault(tuple(attempt.seconds), len(shapes)),
            logs.setdefault(_logs(attempt), len(logs)),
            criu.place(_shown(attempt.criu or "")),
            machines.place(_shown(f"{attempt.accelerator}, {attempt.cpu}")),
        )
        column.append(fates.setdefault(fate, len(fates)))
        times += [max(0, round(value * _TICKS)) for value in attempt.seconds.values()]
    return {
        "tries": pack([len(tried[cell]) for cell in listed]),
        "fate": pack(column),
        "fates": [list(fate) for fate in fates],
        "kibi": pack([_size(attempt.image_bytes) for attempt in flat]),
        "error": error_column,
        "errors": errors,
        "numbers": pack(numbers),
        "logs": [[list(log) for log in some] for some in logs],
        "shapes": [[_shown(phase) for phase in shape] for shape in shapes],
        "times": pack(times),
        "crius": criu.listed,
        "machines": machines.listed,
    }


def names(cell: Cell, attempt: int = 0) -> list[tuple[str, str]]:
    """A cell's names as the page shows them, for `harness.report.page.pattern`."""
    parts = (cell.userland, cell.mode, cell.scenario, cell.source, cell.destination)
    return pattern.names(Cell(*map(_shown, parts)), attempt)


@lru_cache(maxsize=4096)
def _shown(name: str) -> str:
    return visible(name, NAME)


def _size(image: int | None) -> int:
    """In KiB, rounded up, and one more; 0 if there is no image."""
    return 0 if image is None else -(-image // _KIBI) + 1


def _errors(flat: Sequence[Attempt]) -> tuple[list[str], Column, list[int]]:
    """Distinct errors without their large numbers, which of them each attempt has, and all the numbers in order.

    The first error is the empty one; it stands for those beyond the allowance, too.
    """
    words, spent = Words([""]), 0
    column: list[int] = []
    numbers: list[int] = []
    for attempt in flat:
        text = visible(attempt.error, _ERROR) if attempt.error and spent <= _ERRORS else ""
        before = len(words)
        skeleton = _NUMBER.sub(pattern.NUMBER, text)
        column.append(words.place(skeleton))
        spent += len(text) if len(words) > before else 0
        numbers += [int(number) for number in _NUMBER.findall(text)]
    return words.listed, pack(column), numbers


def _logs(attempt: Attempt) -> tuple[tuple[str, str], ...]:
    """Each log's name and the pattern of its path, empty where there may be no link to it."""
    own = names(attempt.cell, attempt.attempt)
    return tuple((_shown(name), _path(path, own)) for name, path in attempt.logs.items())


def _path(path: str, own: list[tuple[str, str]]) -> str:
    """A pattern that leads to a file of the run, or nothing. Whether it does is decided of the path as it is."""
    inside = not path.startswith("/") and ".." not in path and visible(path, None) == path
    return pattern.take_out(path, own) if inside and (path.isascii() or link(path) is not None) else ""
