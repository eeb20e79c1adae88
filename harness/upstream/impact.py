"""Whom it hits: the scenarios that fail for the same cause, those that do not, and the way back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.matrix.cell import Cell, Outcome
from harness.report.sanitize import visible
from harness.upstream import workload
from harness.upstream.evidence import Evidence
from harness.verdict.order import Direction

_TITLES = 6
_NAMES = 20


@dataclass(frozen=True)
class Impact:
    """Counted from the run's cells."""

    hit: tuple[tuple[str, str], ...]
    """Scenarios that fail for this cause, each with what it is."""
    more: int
    """Further ones."""
    unharmed: tuple[str, ...]
    """Scenarios that make the same move and arrive."""
    forward: int
    backward: int
    still: int
    """Cells that fail for this cause, by direction; `still` are those without a move."""
    way_back: str
    """What becomes of the same scenario from the destination to the source."""


def measure(evidence: Evidence, scenarios: Path) -> Impact:
    """The impact of a cell's cause, by its signature."""
    final, mine = evidence.run.final, evidence.attempt
    alike = [
        cell
        for cell, attempt in final.items()
        if attempt.outcome is Outcome.FAIL
        and (attempt.signature, attempt.phase) == (mine.signature, mine.phase)
        and (attempt.signature is not None or cell == evidence.cell)
    ]
    ways = [evidence.judgements[cell].direction for cell in alike]
    names = sorted({cell.scenario for cell in alike} - {evidence.cell.scenario})
    shown = [evidence.cell.scenario, *names][:_TITLES]
    return Impact(
        hit=tuple((visible(name), _title(scenarios, name)) for name in shown),
        more=len(names) + 1 - len(shown),
        unharmed=_unharmed(evidence, final.keys()),
        forward=sum(way in (Direction.FORWARD, Direction.SIDEWAYS) for way in ways),
        backward=ways.count(Direction.BACKWARD),
        still=ways.count(Direction.SAME),
        way_back=_way_back(evidence),
    )


def _title(scenarios: Path, name: str) -> str:
    found = workload.find(scenarios, name)
    return visible(found.title) if found else "no description"


def _unharmed(evidence: Evidence, cells: Iterable[Cell]) -> tuple[str, ...]:
    passed = [
        cell.scenario
        for cell in cells
        if replace(cell, scenario=evidence.cell.scenario) == evidence.cell
        and evidence.run.final[cell].outcome is Outcome.PASS
    ]
    return tuple(visible(name) for name in sorted(passed)[:_NAMES])


def _way_back(evidence: Evidence) -> str:
    cell = evidence.cell
    if cell.source == cell.destination:
        return "there is no move, source and destination are one kernel"
    back = evidence.run.final.get(replace(cell, source=cell.destination, destination=cell.source))
    if back is None:
        return "not tried"
    if back.outcome is Outcome.PASS:
        return "works"
    if back.outcome is Outcome.FAIL and back.signature == evidence.attempt.signature:
        return f"fails too, for the same cause, in phase {back.phase}"
    verb = {Outcome.FAIL: "fails, for another cause,", Outcome.SKIP: "was not asked,"}
    return f"{verb.get(back.outcome, 'gave no answer,')} in phase {back.phase}"
