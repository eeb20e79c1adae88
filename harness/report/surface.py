"""Surfaces as text: what was found of each kernel, and what differs between two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tabulate import tabulate

from harness.matrix.cell import Cell
from harness.report.sanitize import visible
from harness.surface.catalogue import load
from harness.surface.diff import Change, Difference, Kind, explained
from harness.surface.predict import Prediction
from harness.surface.record import Record
from harness.verdict.known import Breakage
from harness.verdict.order import Direction
from harness.verdict.verdict import Judgement, Verdict

_MOST_CELLS = 6
_MOST_ITEMS = 12
_TITLES = {
    Kind.VANISHED: "vanished",
    Kind.CHANGED: "changed",
    Kind.GREW: "grew",
    Kind.APPEARED: "appeared",
}
_WAYS = {
    Direction.FORWARD: "the second is the newer one",
    Direction.BACKWARD: "the second is the older one",
    Direction.SIDEWAYS: "both are of one version",
    Direction.SAME: "both are the same kernel",
}


def table(records: Sequence[Record]) -> str:
    """One line a kernel."""
    catalogue = load()
    rows = []
    for record in records:
        there = Counter(catalogue[id].present(one.result) for id, one in record.findings.items())
        checks = "; ".join(
            f"{name} {visible(criu.version)}: {_check(criu.returncode)}, "
            f"{sum(criu.features.values())} of {len(criu.features)} features"
            for name, criu in record.criu.items()
        )
        rows.append(
            (
                record.kernel.label,
                visible(record.kernel.release),
                f"{there[True]} of {len(record.findings)}",
                checks,
            )
        )
    return tabulate(rows, headers=("kernel", "release", "there", "criu check"), disable_numparse=True)


def _check(code: int) -> str:
    return "all is well" if code == 0 else f"exit code {code}"


def differences_text(
    difference: Difference,
    foretold: Iterable[Prediction],
    entries: Iterable[Breakage],
    judgements: Mapping[Cell, Judgement],
    *,
    colour: bool,
) -> str:
    """All of a difference; `judgements` are those of a run, which may have failed because of it."""
    before, after = difference.before.kernel, difference.after.kernel
    listed, red = list(entries), _between(judgements, before.label, after.label)
    lines = [
        f"{before.label} ({visible(before.release)}) → {after.label} ({visible(after.release)}): "
        f"{_WAYS[difference.direction]}"
    ]
    if not difference.comparable:
        lines.append("not quite alike: probed by another probe, on another processor or with other arguments")
    for kind in (Kind.VANISHED, Kind.CHANGED, Kind.GREW, Kind.APPEARED):
        found = [change for change in difference.changes if change.kind is kind]
        if found:
            backward = difference.direction is Direction.BACKWARD and kind is Kind.GREW
            lines += ["", f"{'shrank' if backward else _TITLES[kind]} ({len(found)})"]
        for change in found:
            lines += _change(change, listed, red, colour)
    for userland, features in difference.features.items():
        lines += ["", f"criu check in {userland}"]
        lines += [f"  {visible(name)}: {_yes(had)} → {_yes(has)}" for name, had, has in features]
    lines += _foretold(list(foretold), red)
    flagged = sum(change.breaking for change in difference.changes)
    lines += ["", f"{len(difference.changes)} differences, {flagged} of them possible API breakage"]
    unknown = [cell for cell, judgement in red.items() if judgement.known is None]
    if unknown:
        lines.append(f"failing without a known reason: {_cells(unknown)}")
    return "\n".join(lines) + "\n"


def _yes(found: bool) -> str:
    return "found" if found else "not found"


def _change(
    change: Change, entries: list[Breakage], red: Mapping[Cell, Judgement], colour: bool
) -> list[str]:
    mark = "possible API breakage" if change.breaking else ""
    if mark and colour:
        mark = f"\x1b[31m{mark}\x1b[0m"
    line = f"  {change.entry.id}: {_said(change)}"
    lines = [f"{line}  [{mark}]" if mark else line, f"      {change.entry.what}"]
    for sign, items in (("+", change.gained), ("-", change.lost)):
        if items and change.kind in (Kind.CHANGED, Kind.GREW):
            more = f" and {len(items) - _MOST_ITEMS} more" if len(items) > _MOST_ITEMS else ""
            lines.append(f"      {sign} {visible(', '.join(items[:_MOST_ITEMS]))}{more}")
    for entry in explained(change, entries):
        cells = [cell for cell, judgement in red.items() if judgement.known == entry.id]
        if cells:
            lines.append(f"      known: {entry.id}, seen in {_cells(cells)}")
        elif change.breaking:
            lines.append(f"      known: {entry.id}")
    return lines


def _said(change: Change) -> str:
    if change.gained or change.lost:
        return f"{len(_items(change.before))} → {len(_items(change.after))} items"
    return f"{visible(str(change.before))} → {visible(str(change.after))}"


def _items(finding: object) -> tuple[str, ...]:
    value = getattr(finding, "value", None)
    return value if isinstance(value, tuple) else ()


def _foretold(found: list[Prediction], red: Mapping[Cell, Judgement]) -> list[str]:
    if not found:
        return []
    lines = ["", "predicted from the surfaces alone, before any migration"]
    for prediction in found:
        entry = prediction.breakage
        phases = " or ".join(str(phase) for phase in entry.phases)
        lines.append(f"  {entry.id}, CRIU {prediction.criu} of {prediction.userland}: {entry.title}")
        where = (
            f"under {prediction.source} alone"
            if prediction.source == prediction.destination
            else f"{prediction.source} → {prediction.destination}"
        )
        lines.append(f"      {where}: {phases} of {prediction.hits}")
        lines += [f"      because {visible(reason)}" for reason in prediction.because]
        cells = [
            cell
            for cell, judgement in red.items()
            if (judgement.known, cell.userland) == (entry.id, prediction.userland)
            and (cell.source, cell.destination) == (prediction.source, prediction.destination)
        ]
        if cells:
            lines.append(f"      and so it is: {_cells(cells)}")
    return lines


def _between(judgements: Mapping[Cell, Judgement], *labels: str) -> dict[Cell, Judgement]:
    """The cells of these two kernels alone that are not as they should be."""
    return {
        cell: judgement
        for cell, judgement in judgements.items()
        if cell.source in labels
        and cell.destination in labels
        and judgement.verdict.rank > Verdict.LAB_ERROR.rank
    }


def _cells(cells: list[Cell]) -> str:
    more = f" and {len(cells) - _MOST_CELLS} more" if len(cells) > _MOST_CELLS else ""
    return ", ".join(visible(str(cell)) for cell in cells[:_MOST_CELLS]) + more
