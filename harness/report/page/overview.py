"""The matrix of each userland as plain HTML: what a reader without scripts, a printer or a mail client sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from harness.report.marks import style
from harness.report.page import unfinished
from harness.report.page.kernels import Kernel
from harness.report.page.looks import SIGNS
from harness.verdict.verdict import Verdict


@dataclass(frozen=True)
class Square:
    """One field: how many of its cells are compatible, and the worst verdict among them."""

    good: int
    total: int
    worst: Verdict | None
    """None if nothing was run."""
    diagonal: bool = False
    owing: bool = False
    """Whether some of its cells may still be missing."""

    @property
    def sign(self) -> str:
        """The verdict's sign."""
        if self.owing and self.worst is Verdict.COMPATIBLE:
            return unfinished.SIGN
        return SIGNS[self.worst] if self.worst else "·"

    @property
    def style(self) -> str:
        """Its class in the style sheet."""
        if self.owing and self.worst is Verdict.COMPATIBLE:
            return unfinished.STYLE
        return style(self.worst) if self.worst else "v-none"


@dataclass(frozen=True)
class Overview:
    """One userland's matrix."""

    userland: str
    kernels: tuple[str, ...]
    rows: tuple[tuple[str, Square, tuple[Square, ...]], ...]
    """Source, its baseline, and its moves to every kernel."""


def overviews(
    cells: pd.DataFrame, kernels: Sequence[Kernel], owing: Mapping[str, int] | None = None
) -> list[Overview]:
    """One for each userland of the run; `owing` is what `harness.report.page.unfinished` says of it."""
    counted = _count(cells)
    baselines = owing["scenario"] if owing else 0
    moves = owing["scenario"] * owing["mode"] if owing else 0
    found = []
    for userland in dict.fromkeys(cells["userland"]):
        present = {label for key in counted if key[0] == userland for label in key[2:]}
        labels = tuple(kernel.label for kernel in kernels if kernel.label in present)
        rows = tuple(
            (
                source,
                _square(counted.get((userland, True, source, source)), baselines, diagonal=False),
                tuple(
                    _square(counted.get((userland, False, source, other)), moves, diagonal=source == other)
                    for other in labels
                ),
            )
            for source in labels
        )
        found.append(Overview(userland, labels, rows))
    return found


_Key = tuple[str, bool, str, str]


def _count(cells: pd.DataFrame) -> dict[_Key, tuple[int, int, Verdict]]:
    found: dict[_Key, tuple[int, int, Verdict]] = {}
    columns = ("userland", "baseline", "source", "destination", "verdict")
    for *key, name in zip(*(cells[column] for column in columns), strict=True):
        verdict, place = Verdict(name), (key[0], bool(key[1]), key[2], key[3])
        good, total, worst = found.get(place, (0, 0, Verdict.COMPATIBLE))
        found[place] = (
            good + (verdict is Verdict.COMPATIBLE),
            total + 1,
            max(worst, verdict, key=lambda one: one.rank),
        )
    return found


def _square(counted: tuple[int, int, Verdict] | None, most: int, *, diagonal: bool) -> Square:
    """`most` is how many cells it may come to have."""
    good, total, worst = counted or (0, 0, None)
    return Square(good, total, worst, diagonal, owing=total < most)
