"""The matrix of a run that has not ended: no square is green that may not be whole, however it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from harness.matrix.cell import Cell, Outcome
from harness.report.write import write_reports
from tests import ledgers

pytestmark = pytest.mark.browser

KERNELS = ("debian-5.10", "debian-6.1")
SCENARIOS = ("tcp", "pipes")
WHOLE = len(SCENARIOS) * len(KERNELS) * (1 + len(KERNELS))
LATE = Cell("trixie", "cold", "pipes", *KERNELS)


@pytest.fixture
def unfinished(tmp_path: Path) -> Path:
    """One cell has not ended, all others passed."""
    tried = [ledgers.attempt(cell) for cell in ledgers.cells(KERNELS, SCENARIOS) if cell != LATE]
    facts = ledgers.run_facts(KERNELS, SCENARIOS, WHOLE) | {"finished": None}
    write_reports(ledgers.write_run(tmp_path / "run", tried, facts=facts))
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("view", "square", "green"),
    [
        ("", "debian-5.10 → debian-6.1: ", 5),
        ("#q=scenario:tcp", "debian-5.10 → debian-6.1: ", 5),
        ("#rows=destination&cols=source", "debian-5.10 → debian-6.1: ", 5),
        ("#rows=scenario", "pipes, to debian-6.1: ", 5),
        ("#rows=source&cols=scenario", "from debian-5.10, pipes: ", 5),
        ("#rows=scenario&cols=userland", "pipes, trixie: ", 3),
    ],
)
def test_what_is_not_whole_is_not_green(
    browser_report: Callable[..., Page], unfinished: Path, view: str, square: str, green: int
) -> None:
    page = browser_report(unfinished, view)
    late = page.locator(f'[role=gridcell][aria-label^="{square}"]')
    expect(late).to_have_count(1)
    expect(late).to_contain_text("…")
    expect(late).to_have_class("square v-unfinished")
    assert "compatible so far" in (late.get_attribute("aria-label") or "")
    assert page.locator("[role=gridcell].v-compatible").count() == green
    late.hover()
    expect(page.locator("#readout")).to_contain_text("so far")


def test_a_square_of_skips_says_that_it_could_not_be_asked(
    browser_report: Callable[..., Page], tmp_path: Path
) -> None:
    tried = [
        ledgers.attempt(cell, Outcome.SKIP if cell.is_baseline else Outcome.PASS)
        for cell in ledgers.cells(KERNELS, SCENARIOS)
    ]
    write_reports(
        ledgers.write_run(tmp_path / "run", tried, facts=ledgers.run_facts(KERNELS, SCENARIOS, WHOLE))
    )
    page = browser_report(tmp_path / "run")
    skipped = page.locator('[role=gridcell][aria-label^="debian-6.1, baseline without CRIU: "]')
    expect(skipped).to_have_text("–0/2")
    skipped.hover()
    expect(page.locator("#readout")).to_contain_text("0 of 2 compatible, 2 could not be asked")
    assert page.locator("[role=gridcell].v-unfinished").count() == 0
