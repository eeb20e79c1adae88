"""The matrix as a picture: source by destination, every square with glyph, count, pattern and colour."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from harness.report import svg
from harness.report.charts import Chart, Table, standalone
from harness.report.marks import MARKS, style
from harness.report.rundir import Run
from harness.report.sanitize import visible
from harness.verdict.verdict import Verdict

_SIDE = 36.0
_LABEL = 26
_EMPTY = "·"
FILE = "matrix.svg"
_NOTHING = "No cell has a result."
_UNFINISHED = "This run has not finished: a square may not have all of its cells."
_SLANT = 50
"""Degrees at which the columns' labels rise."""


@dataclass(frozen=True)
class Square:
    """The cells from one kernel to another."""

    passed: int
    total: int
    worst: Verdict


def squares(cells: pd.DataFrame) -> dict[tuple[str, str], Square]:
    """By source and destination: how many of the cells are compatible, and the worst verdict; controls without CRIU
    do not count."""
    found: dict[tuple[str, str], tuple[int, int, Verdict]] = {}
    columns = (cells[name] for name in ("source", "destination", "verdict", "baseline"))
    by_name = {str(verdict): verdict for verdict in Verdict}
    for source, destination, name, baseline in zip(*columns, strict=True):
        if baseline:
            continue
        verdict = by_name[name]
        passed, total, worst = found.get((source, destination), (0, 0, Verdict.COMPATIBLE))
        found[source, destination] = (
            passed + (verdict is Verdict.COMPATIBLE),
            total + 1,
            max(worst, verdict, key=lambda one: one.rank),
        )
    return {pair: Square(*counted) for pair, counted in found.items()}


def render(run: Run, cells: pd.DataFrame) -> str:
    """`matrix.svg`: the picture alone. Of a run that has not finished it says so: a square may not be whole."""
    note = "" if run.facts.get("finished") else _UNFINISHED
    title = f"Compatibility matrix of {visible(run.name, 200)}"
    drawn = heat_map(cells, run.kernels, title, note)
    if drawn is None:
        return f"{svg.picture(480, 40, title, _NOTHING, svg.label(8, 24, _NOTHING))}\n"
    return standalone(drawn)


def heat_map(
    cells: pd.DataFrame, kernels: Sequence[str], title: str = "Compatibility matrix", note: str = ""
) -> Chart | None:
    """All squares of `cells`, which `frames.cell_states` gave; `kernels` in the order of the matrix, oldest first.

    `note` stands below the squares. None if no cell has an end. Give it the cells of one userland, or of all: then a
    square is the worst of them.
    """
    found = squares(cells)
    present = {label for pair in found for label in pair}
    order = [label for label in kernels if label in present]
    if not order:
        return None
    description = (
        "Rows are the kernels of the dump, columns those of the restore, oldest first. A square has the glyph and the "
        "colour of its worst verdict, and how many of its cells are compatible. Framed: source and destination are "
        "one kernel. Above the frames the move is to a newer kernel, below to an older one."
    )
    names = [svg.shortened(label, _LABEL) for label in order]
    longest = max(map(svg.width_of, names))
    wide, high = longest * math.cos(math.radians(_SLANT)), longest * math.sin(math.radians(_SLANT))
    left, top = max(longest + 16, 136.0), high + 24
    used = {square.worst for square in found.values()}
    name = _name(title, order)
    inner = [svg.element("defs", *(_symbol(name, verdict) for verdict in MARKS if verdict in used))]
    inner += [*_heads(names, left, top), *_fields(found, order, name, left, top)]
    bottom = top + len(order) * _SIDE
    width = max(left + len(order) * _SIDE + wide, 480.0)
    if note:
        bottom += 24
        inner.append(svg.label(8, bottom, note))
    legend, height = _legend(used, name, 8.0, bottom + 16, width)
    drawn = svg.picture(width, height, title, description, *inner, legend)
    return Chart(drawn, title, description, _table(found, order))


def _name(title: str, order: Sequence[str]) -> str:
    """Different for each matrix of a page, the same each time."""
    return "h" + hashlib.sha256("\0".join((title, *order)).encode("utf-8", "replace")).hexdigest()[:6]


def _symbol(name: str, verdict: Verdict) -> str:
    """A square of a verdict: its colour, its pattern over that, its glyph. Drawn once, placed many times."""
    id, mark, class_ = _id(name, verdict), MARKS[verdict], style(verdict)
    place = {"x": 1.0, "y": 1.0, "width": _SIDE - 2, "height": _SIDE - 2}
    parts = [svg.element("rect", **place, class_="fill", verdict=class_)]
    hatch = ""
    if mark.pattern:
        lines = svg.element("path", d=mark.pattern, class_="hatch", verdict=class_)
        hatch = svg.element("pattern", lines, id=f"{id}-h", width=8, height=8, patternUnits="userSpaceOnUse")
        parts.append(svg.element("rect", **place, fill=f"url(#{id}-h)"))
    parts.append(svg.label(_SIDE / 2, 16, mark.glyph, class_="glyph mid", verdict=class_))
    return hatch + svg.element("g", *parts, id=id)


def _id(name: str, verdict: Verdict) -> str:
    return f"{name}-{verdict.rank}"


def _use(name: str, verdict: Verdict, **place: float) -> str:
    return svg.element("use", href=f"#{_id(name, verdict)}", **place)


def _heads(names: Sequence[str], left: float, top: float) -> Iterator[str]:
    yield svg.label(left - 8, top - 12, "dump ↓  restore →", class_="soft end")
    for number, words in enumerate(names):
        middle = (number + 0.5) * _SIDE
        yield svg.label(left - 8, top + middle + 4, words, class_="end")
        x, y = left + middle, top - 10
        yield svg.label(x, y, words, transform=f"rotate(-{_SLANT} {x:g} {y:g})")


def _fields(
    found: Mapping[tuple[str, str], Square], order: Sequence[str], name: str, left: float, top: float
) -> Iterator[str]:
    for row, source in enumerate(order):
        for column, destination in enumerate(order):
            x, y = left + column * _SIDE, top + row * _SIDE
            square = found.get((source, destination))
            if square is None:
                yield svg.label(x + _SIDE / 2, y + _SIDE / 2 + 4, _EMPTY, class_="soft mid")
                continue
            said = f"{source} → {destination}: {_words(square)}"
            counted = f"{square.passed}/{square.total}"
            squeezed = _SIDE - 6 if len(counted) > 5 else None
            parts = [
                svg.element("title", svg.text(said)),
                _use(name, square.worst),
                svg.label(
                    _SIDE / 2,
                    29,
                    counted,
                    class_="count mid",
                    verdict=style(square.worst),
                    textLength=squeezed,
                ),
            ]
            if source == destination:
                frame = _SIDE - 5
                parts.append(svg.element("rect", x=2.5, y=2.5, width=frame, height=frame, class_="diagonal"))
            yield svg.element("g", *parts, transform=f"translate({x:g} {y:g})")


def _legend(used: set[Verdict], name: str, x: float, y: float, width: float) -> tuple[str, float]:
    """The verdicts that are there, and where the picture ends below them."""
    parts, at = [], x
    for verdict in (verdict for verdict in MARKS if verdict in used):
        needed = svg.width_of(verdict) + 60
        if at > x and at + needed > width:
            at, y = x, y + _SIDE
        parts.append(_use(name, verdict, x=at, y=y))
        parts.append(svg.label(at + 42, y + 21, verdict))
        at += needed
    return "".join(parts), y + _SIDE + 8


def _words(square: Square) -> str:
    return f"{square.passed} of {square.total} compatible, worst {square.worst}"


def _table(found: Mapping[tuple[str, str], Square], order: Sequence[str]) -> Table:
    rows = tuple(
        (
            visible(source),
            *(_words(found[pair]) if (pair := (source, other)) in found else "" for other in order),
        )
        for source in order
    )
    return Table(("dump on", *(f"restore on {visible(label)}" for label in order)), rows)
