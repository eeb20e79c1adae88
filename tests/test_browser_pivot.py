"""Any two of source, destination, scenario and userland span the grid, and every square counts what pandas counts."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import ledgers
import pandas as pd
import pytest
from playwright.sync_api import Page

from harness.report.write import summarise, write_reports
from harness.verdict.verdict import Verdict

pytestmark = pytest.mark.browser

AXES = ("source", "destination", "scenario", "userland")
QUERIES = {"": "", "-verdict:compatible dst:>=6.1": "&q=-verdict:compatible dst:>=6.1"}
READ = """() => {
    const grid = document.querySelector("#matrix-grid");
    const head = at => grid.querySelector(`thead th[aria-colindex="${at}"] b`).textContent;
    return [...grid.querySelectorAll("tr[data-row]")].flatMap(row => [...row.querySelectorAll("td")].map(square => [
        row.querySelector("th b").textContent,
        head(square.getAttribute("aria-colindex")),
        square.className.split(" ")[1],
        square.textContent,
    ]));
}"""
Squares = dict[tuple[str, str], tuple[str, str]]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two userlands that do not fail alike."""
    made = [
        ledgers.nights(6, 12, seed=seed, userland=name).before
        for seed, name in ((1, "trixie"), (2, "bookworm"))
    ]
    facts = made[0].facts
    facts["userlands"] |= made[1].facts["userlands"]
    facts["plan"]["userlands"] = ["trixie", "bookworm"]
    run = ledgers.write_run(
        tmp_path_factory.mktemp("two"), [one for night in made for one in night.attempts], facts=facts
    )
    write_reports(run)
    return run


@pytest.mark.parametrize("query", QUERIES)
def test_every_pair_of_axes(browser_report: Callable[..., Page], two: Path, query: str) -> None:
    cells = summarise(two).cells
    assert cells.groupby("userland")["verdict"].value_counts().unstack().nunique().max() > 1
    if query:
        newer = [
            label for label in cells["source"].unique() if label != "debian-5.10" and label != "debian-5.15"
        ]
        cells = cells[(cells["verdict"] != str(Verdict.COMPATIBLE)) & cells["destination"].isin(newer)]
    page = browser_report(two)
    for rows, columns in itertools.permutations(AXES, 2):
        page.evaluate("hash => { location.hash = hash }", f"#rows={rows}&cols={columns}{QUERIES[query]}")
        page.wait_for_function(
            "([rows, columns]) => document.querySelector('#span-rows').value === rows"
            " && document.querySelector('#span-cols').value === columns",
            arg=[rows, columns],
        )
        shown = {(row, column): (style, text) for row, column, style, text in page.evaluate(READ)}
        assert {place: square for place, square in shown.items() if square[0] != "v-none"} == _counted(
            cells, rows, columns
        ), (rows, columns)
        assert {square[1] for square in shown.values() if square[0] == "v-none"} <= {"·"}


def _counted(cells: pd.DataFrame, rows: str, columns: str) -> Squares:
    """The same grid by pandas: class and text of each square; the baseline stands in a column of its own."""
    placed = cells.assign(
        column=cells[columns].where(~cells["baseline"], "baseline"),
        good=cells["verdict"] == str(Verdict.COMPATIBLE),
        rank=[Verdict(verdict).rank for verdict in cells["verdict"]],
    )
    grid = placed.pivot_table(
        index=rows, columns="column", values=["good", "rank"], aggfunc=["sum", "count", "max"]
    )
    by_rank = {verdict.rank: verdict for verdict in Verdict}
    found: Squares = {}
    for row, column in itertools.product(grid.index, placed["column"].unique()):
        total = grid.loc[row, ("count", "good", column)]
        if pd.notna(total) and total:
            worst = by_rank[int(grid.loc[row, ("max", "rank", column)])]
            share = f"{int(grid.loc[row, ('sum', 'good', column)])}/{int(total)}"
            found[str(row), str(column)] = (f"v-{str(worst).replace(' ', '-')}", f"{SIGNS[worst]}{share}")
    return found


SIGNS = {
    Verdict.STATE_CHANGED: "≠", Verdict.KERNEL_CRASH: "‼", Verdict.CROSS_KERNEL_BREAKAGE: "✗",
    Verdict.DESTINATION_BROKEN: "D", Verdict.SOURCE_BROKEN: "S", Verdict.BACKWARD_ONLY: "←",
    Verdict.UNDETERMINED: "?", Verdict.LAB_ERROR: "!", Verdict.FLAKY: "~", Verdict.WORKLOAD_NEEDS: "–",
    Verdict.COMPATIBLE: "✓",
}  # fmt: skip
"""Written down once more: a sign that changes is a change of what people have learnt to read."""
