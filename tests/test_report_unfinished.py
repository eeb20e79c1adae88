"""A run that has not ended: what passes so far is not shown as what passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.matrix.cell import Cell, Outcome
from harness.report import frames, verdicts
from harness.report.page import unfinished
from harness.report.page.kernels import in_order
from harness.report.page.overview import Square, overviews
from harness.report.rundir import Run, load
from tests import ledgers

KERNELS = ("debian-5.10", "debian-6.1")
SCENARIOS = ("tcp", "pipes")
WHOLE = len(SCENARIOS) * len(KERNELS) * (1 + len(KERNELS))
LATE = Cell("trixie", "cold", "pipes", *KERNELS)


def shown(run: Run) -> dict[tuple[str, str], Square]:
    """The squares of the page without a script, by source and destination; the baseline's is ``."""
    cells = frames.cell_states(run, verdicts.judge(run))
    (matrix,) = overviews(cells, in_order(run), unfinished.axes(run, cells))
    found = {}
    for source, baseline, squares in matrix.rows:
        found[source, ""] = baseline
        found |= {(source, other): square for other, square in zip(matrix.kernels, squares, strict=True)}
    return found


def written(base: Path, left_out: tuple[Cell, ...], **changes: object) -> Run:
    """A run in which everything that ended has passed."""
    tried = [ledgers.attempt(c) for c in ledgers.cells(KERNELS, SCENARIOS) if c not in left_out]
    facts = ledgers.run_facts(KERNELS, SCENARIOS, WHOLE) | changes
    return load(ledgers.write_run(base / "run", tried, facts=facts))


def test_only_a_square_that_is_not_whole_loses_its_green(tmp_path: Path) -> None:
    squares = shown(written(tmp_path, (LATE,), finished=None))
    late = squares.pop(KERNELS)
    assert (late.good, late.total, late.sign, late.style) == (1, 1, "…", "v-unfinished")
    assert {square.sign for square in squares.values()} == {"✓"}


@pytest.mark.parametrize("finished", [None, "2026-11-24T12:00:00+00:00"])
def test_a_scenario_that_has_no_cell_yet_is_missing_everywhere(tmp_path: Path, finished: str | None) -> None:
    late = tuple(cell for cell in ledgers.cells(KERNELS, SCENARIOS) if cell.scenario == "pipes")
    squares = shown(written(tmp_path, late, finished=finished))
    assert {square.sign for square in squares.values()} == {"…"}


def test_a_whole_run_is_green_with_whatever_cells_it_planned(tmp_path: Path) -> None:
    run = written(tmp_path, (LATE,))
    run.facts["plan"]["cells"] = WHOLE - 1
    assert {square.sign for square in shown(run).values()} == {"✓"}


def test_a_failure_is_told_whether_more_is_to_come_or_not(tmp_path: Path) -> None:
    tried = [
        ledgers.attempt(cell, Outcome.SKIP if cell.is_baseline else Outcome.PASS)
        for cell in ledgers.cells(KERNELS, SCENARIOS)
        if cell != LATE and cell.scenario == "pipes"
    ]
    facts = ledgers.run_facts(KERNELS, SCENARIOS, WHOLE) | {"finished": None}
    squares = shown(load(ledgers.write_run(tmp_path / "run", tried, facts=facts)))
    assert squares[KERNELS].sign == "·"
    assert {squares[kernel, ""].sign for kernel in KERNELS} == {"–"}
