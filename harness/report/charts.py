"""Pictures of a run, drawn here as SVG: times, sizes, pass rates. Each comes with the same figures as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.matrix.cell import Phase
from harness.matrix.ledger import Attempt
from harness.report import svg
from harness.report.chart_style import FILE_CSS
from harness.report.sanitize import visible
from harness.verdict.verdict import Verdict

WIDTH = 720.0
"""Of every picture but the heat map, pixels; its height follows from what is in it."""
_ROW = 28.0
_TOP = 12.0
_AXIS = 44.0
_LABEL = 30
"""Characters of a row's label."""
_SHOWN = 20
"""Scenarios that get a row of their own."""
_RUNS = 30


@dataclass(frozen=True)
class Table:
    """A picture's figures. Texts went through `visible` and still want the escaping of whatever they are put into."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Chart:
    """One picture."""

    svg: str
    """Markup that is safe to put into a page; its colours are `CHART_CSS`."""
    title: str
    description: str
    """What is drawn and measured, in words."""
    table: Table


@dataclass(frozen=True)
class RunCounts:
    """One run of a history."""

    run: str
    started: str
    """ISO 8601."""
    verdicts: Mapping[Verdict, int]

    @property
    def total(self) -> int:
        """Cells that have a verdict."""
        return sum(self.verdicts.values())

    @property
    def unanswered(self) -> int:
        """Cells whose question got no answer, which say nothing about a kernel or CRIU."""
        return sum(self.verdicts.get(verdict, 0) for verdict in _UNANSWERED)

    @property
    def rate(self) -> float | None:
        """Share of compatible cells among those that got an answer; None if none did."""
        answered = self.total - self.unanswered
        return self.verdicts.get(Verdict.COMPATIBLE, 0) / answered if answered else None


_UNANSWERED = (Verdict.UNDETERMINED, Verdict.LAB_ERROR, Verdict.WORKLOAD_NEEDS)


@dataclass(frozen=True)
class _Spread:
    """How the values of one row are distributed."""

    name: str
    count: int
    low: float
    fifth: float
    quarter: float
    median: float
    three_quarters: float
    ninety_fifth: float
    high: float
    rest: bool = False
    """Whether it stands for all that have no row of their own."""

    @classmethod
    def of(cls, name: str, values: Sequence[float], *, rest: bool = False) -> _Spread:
        cuts = np.percentile(np.asarray(values, dtype=float), (0, 5, 25, 50, 75, 95, 100))
        low, fifth, quarter, median, three_quarters, ninety_fifth, high = map(float, cuts)
        return cls(
            name, len(values), low, fifth, quarter, median, three_quarters, ninety_fifth, high, rest=rest
        )


def standalone(chart: Chart) -> str:
    """The picture as a file of its own, which follows the theme of whoever looks at it."""
    head, _, rest = chart.svg.partition(">")
    return f"{head}>{svg.element('style', FILE_CSS)}{rest}\n"


def phase_times(attempts: Iterable[Attempt]) -> Chart | None:
    """How long the phases of all attempts took, a box a phase; None without any times."""
    found: dict[str, list[float]] = {name: [] for name in (*map(str, Phase), "evidence")}
    for attempt in attempts:
        for phase, value in attempt.seconds.items():
            if phase in found:
                found[phase].append(value)
    rows = [_Spread.of(phase, values) for phase, values in found.items() if values]
    title = "Time per phase"
    description = (
        "Wall time of each phase of every attempt, by the lab's clock: the box is the middle half, the line in it the "
        "median, the whiskers reach from the 5th to the 95th percentile, the tick is the longest."
    )
    return _spreads(title, description, rows, svg.seconds, _box, "phase") if rows else None


def dump_times(attempts: Iterable[Attempt]) -> Chart | None:
    """How long CRIU's dumps took, by scenario; None if the ledger does not say, as older ones do not."""
    found: dict[str, list[float]] = {}
    dumps: set[tuple[str, str, str, str]] = set()
    for attempt in attempts:
        cell, value = attempt.cell, attempt.dump_seconds
        key = (cell.userland, cell.mode, cell.scenario, cell.source)
        # One dump is restored everywhere: it counts once.
        if value is not None and key not in dumps:
            dumps.add(key)
            found.setdefault(cell.scenario, []).append(value)
    description = (
        "How long criu dump ran inside the guest, which is the most that the workload can have been frozen: CRIU "
        "freezes it soon after its start and lets go at its end. One value a dump; median and range over kernels "
        "and userlands."
    )
    return _by_scenario("Freeze time by scenario, at most", description, found, svg.seconds)


def image_sizes(attempts: Iterable[Attempt]) -> Chart | None:
    """How large the checkpoints are, by scenario; None without any."""
    found: dict[str, dict[tuple[str, str, str], float]] = {}
    for attempt in attempts:
        cell = attempt.cell
        if attempt.image_bytes is not None:
            here = found.setdefault(cell.scenario, {})
            here.setdefault((cell.userland, cell.mode, cell.source), float(attempt.image_bytes))
    description = (
        "CRIU's images of one checkpoint, uncompressed; median and range over kernels and userlands."
    )
    values = {name: list(sizes.values()) for name, sizes in found.items()}
    return _by_scenario("Image size by scenario", description, values, svg.size)


def _by_scenario(
    title: str, description: str, found: Mapping[str, Sequence[float]], unit: Callable[[float], str]
) -> Chart | None:
    if not found:
        return None
    order = sorted(found, key=lambda name: (-float(np.median(found[name])), name))
    own, others = order[:_SHOWN], order[_SHOWN:]
    if len(others) == 1:  # its own row takes no more room
        own, others = order, []
    rows = [_Spread.of(name, found[name]) for name in own]
    if others:
        values = [value for name in others for value in found[name]]
        rows.append(_Spread.of(f"{len(others)} smaller scenarios", values, rest=True))
    return _spreads(title, description, rows, unit, _range, "scenario")


def _spreads(
    title: str,
    description: str,
    rows: Sequence[_Spread],
    unit: Callable[[float], str],
    draw: Callable[[_Spread, svg.Scale, float], str],
    what: str,
) -> Chart:
    """Rows with one axis under them; the median stands in words behind each."""
    names = [svg.shortened(row.name, _LABEL) for row in rows]
    left = max(map(svg.width_of, names)) + 12
    right = WIDTH - 78
    low = min(row.fifth if draw is _box else row.low for row in rows)
    scale = svg.Scale.over(low, max(row.high for row in rows), left, right)
    bottom = _TOP + len(rows) * _ROW
    inner = [_axis(scale, _TOP, bottom, unit)]
    for number, (name, row) in enumerate(zip(names, rows, strict=True)):
        middle = _TOP + (number + 0.5) * _ROW
        inner.append(svg.label(left - 8, middle + 4, name, class_="end"))
        inner.append(draw(row, scale, middle))
        inner.append(svg.label(right + 12, middle + 4, unit(row.median)))
    axis_title = ("time" if unit is svg.seconds else "size") + (", logarithmic" if scale.log else "")
    inner.append(svg.label((left + right) / 2, bottom + 36, axis_title, class_="soft mid"))
    inner.append(svg.label(right + 12, bottom + 36, "median", class_="soft"))
    drawn = svg.picture(WIDTH, bottom + _AXIS, title, description, *inner)
    head = (what, "values", "least", "quarter", "median", "three quarters", "95 %", "most")
    cuts = ("low", "quarter", "median", "three_quarters", "ninety_fifth", "high")
    table = tuple(
        (visible(row.name), str(row.count), *(unit(getattr(row, cut)) for cut in cuts)) for row in rows
    )
    return Chart(drawn, title, description, Table(head, table))


def _axis(scale: svg.Scale, top: float, bottom: float, unit: Callable[[float], str]) -> str:
    parts = [svg.line(scale(tick), top, scale(tick), bottom, "grid") for tick in scale.ticks]
    parts += [svg.label(scale(tick), bottom + 18, unit(tick), class_="soft mid") for tick in scale.ticks]
    return "".join([*parts, svg.line(scale.first, bottom, scale.last, bottom, "axis")])


def _box(row: _Spread, scale: svg.Scale, middle: float) -> str:
    first, last = scale(row.quarter), scale(row.three_quarters)
    return svg.element(
        "g",
        _said(row, svg.seconds),
        svg.line(scale(row.fifth), middle, scale(row.ninety_fifth), middle, "whisker"),
        svg.element(
            "rect", x=first, y=middle - 8, width=max(1.0, last - first), height=16, rx=2, class_="box"
        ),
        svg.line(scale(row.median), middle - 8, scale(row.median), middle + 8, "median"),
        svg.line(scale(row.high), middle - 4, scale(row.high), middle + 4, "whisker"),
    )


def _range(row: _Spread, scale: svg.Scale, middle: float) -> str:
    first, last = scale(row.low), scale(row.high)
    return svg.element(
        "g",
        svg.element(
            "rect",
            x=first - 3,
            y=middle - 6,
            width=last - first + 6,
            height=12,
            rx=6,
            class_="rest" if row.rest else "box",
        ),
        svg.line(scale(row.median), middle - 7, scale(row.median), middle + 7, "median"),
    )


def _said(row: _Spread, unit: Callable[[float], str]) -> str:
    """What a pointer that rests on a row is told."""
    words = f"{row.name}: median {unit(row.median)}, 95 % {unit(row.ninety_fifth)}, most {unit(row.high)}"
    return svg.element("title", svg.text(words))


def pass_rates(history: Sequence[RunCounts], *, most: int = _RUNS) -> Chart | None:
    """The pass rate of the last `most` runs, oldest first, and under it what failed and what got no answer."""
    runs = [run for run in history if run.total][-most:]
    rates = [run.rate for run in runs if run.rate is not None]
    if not rates:
        return None
    title = f"Pass rate over the last {len(runs)} runs"
    description = (
        "Compatible cells among those whose question got an answer; below, how many cells of each run were broken or "
        "flaky, and how many got no answer: undetermined, lab error, workload needs."
    )
    left, right, top, floor, base = 56.0, WIDTH - 64, 16.0, 150.0, 240.0
    place = svg.Scale(-0.5, max(len(runs) - 0.5, 0.5), left, right)
    rate = svg.Scale.over(min(rates), 1.0, floor, top, zero=False)
    worst = max(_broken(run) + run.unanswered for run in runs)
    cells = svg.Scale.over(0, max(worst, 1), base, floor + 24)
    inner = [
        _side(rate, left, right, lambda tick: f"{tick * 100:.4g} %"),
        _side(cells, left, right, lambda tick: f"{tick:,.0f}", ends=True),
        svg.label(right + 8, (floor + 24 + base) / 2 + 4, "cells", class_="soft"),
    ]
    points = [(place(number), rate(run.rate)) for number, run in enumerate(runs) if run.rate is not None]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    inner.append(svg.element("polyline", points=path, class_="trend"))
    wide = min(18.0, (right - left) / len(runs) * 0.6)
    inner += [_run(run, place(number), rate, cells, wide) for number, run in enumerate(runs)]
    inner.append(svg.label(points[-1][0] + 10, points[-1][1] + 4, f"{rates[-1] * 100:.1f} %"))
    inner.append(svg.label(place(0), base + 18, runs[0].started[:10], class_="soft mid"))
    if len(runs) > 1:
        inner.append(svg.label(place(len(runs) - 1), base + 18, runs[-1].started[:10], class_="soft mid"))
    inner.append(_key(left, base + 40))
    drawn = svg.picture(WIDTH, base + 52, title, description, *inner)
    head = ("run", "started", "pass rate", "compatible", "broken or flaky", "no answer")
    return Chart(drawn, title, description, Table(head, tuple(map(_told, runs))))


def _broken(run: RunCounts) -> int:
    return run.total - run.unanswered - run.verdicts.get(Verdict.COMPATIBLE, 0)


def _side(
    scale: svg.Scale, left: float, right: float, unit: Callable[[float], str], *, ends: bool = False
) -> str:
    ticks = (scale.low, scale.high) if ends else scale.ticks
    return "".join(
        svg.line(left, scale(tick), right, scale(tick), "grid")
        + svg.label(left - 8, scale(tick) + 4, unit(tick), class_="soft end")
        for tick in ticks
    )


def _run(run: RunCounts, x: float, rate: svg.Scale, cells: svg.Scale, wide: float) -> str:
    broken, both = cells(_broken(run)), cells(_broken(run) + run.unanswered)
    parts = [svg.element("title", svg.text(", ".join(_told(run)[:3])))]
    if run.rate is not None:
        parts.append(svg.element("circle", cx=x, cy=rate(run.rate), r=4, class_="dot"))
    bar = {"x": x - wide / 2, "width": wide}
    parts.append(svg.element("rect", **bar, y=broken, height=cells.first - broken, class_="bad"))
    parts.append(svg.element("rect", **bar, y=both, height=broken - both, class_="none"))
    return svg.element("g", *parts)


def _key(left: float, y: float) -> str:
    parts, x = [], left
    for class_, words in (("bad", "broken or flaky"), ("none", "no answer")):
        parts.append(svg.element("rect", x=x, y=y - 10, width=12, height=12, class_=class_))
        parts.append(svg.label(x + 18, y, words, class_="soft"))
        x += svg.width_of(words) + 36
    return "".join(parts)


def _told(run: RunCounts) -> tuple[str, ...]:
    rate = "no answer" if run.rate is None else f"{run.rate * 100:.1f} %"
    compatible = run.verdicts.get(Verdict.COMPATIBLE, 0)
    return (
        visible(run.run), visible(run.started), rate, str(compatible), str(_broken(run)), str(run.unanswered)
    )  # fmt: skip
