"""`badge.svg`: the run's state in a few words, for a README. Static, and its words say what its colour says."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

import pandas as pd

from harness.report.compare import ChangeKind, Comparison, headline
from harness.report.results import results
from harness.report.rundir import Run
from harness.report.sanitize import visible
from harness.report.status import Group, Status

FILE = "badge.svg"
NAME = "kernel compatibility"
# White text on each has a contrast of at least 4.5:1 (WCAG 2.1 AA, criterion 1.4.3).
GREEN, RED, AMBER, GREY = "#1a6b34", "#b3261e", "#8a4b00", "#4d5560"
_CHARACTER = 6.6
"""Pixels of the widest character that is usual at 11 pixels; `textLength` makes every font keep to it."""


def render(run: Run, cells: pd.DataFrame, comparison: Comparison | None = None) -> str:
    """The picture. Green is only a finished run of which every planned cell is compatible."""
    words, colour = state(run, cells, comparison)
    left, right = (round(len(text) * _CHARACTER) + 12 for text in (NAME, words))
    told = escape(visible(headline(run, cells, comparison), 400))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img"'
        f" aria-label={quoteattr(f'{NAME}: {words}')}>"
        f"<title>{told}</title>"
        f'<rect width="{left}" height="20" fill="#33383f"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
        f"{_text(NAME, left / 2, left)}{_text(words, left + right / 2, right)}</g></svg>\n"
    )


def state(run: Run, cells: pd.DataFrame, comparison: Comparison | None = None) -> tuple[str, str]:
    """The words on the right and the colour behind them."""
    statuses = [one.status for one in results(cells)]
    passed, planned = statuses.count(Status.PASS), run.planned
    if not statuses:
        return "no results", GREY
    new = 0
    if comparison is not None:
        new = len(comparison.of_kind(ChangeKind.REGRESSION, ChangeKind.NEW_FAILURE))
    # Rounded down, so that 100 % is every cell.
    words = f"{100 * passed // planned} %"
    if new:
        return f"{words}, {new:,} new breakage{'s' if new > 1 else ''}", RED
    if not run.facts.get("finished"):
        return f"{words}, not finished", GREY
    if passed == planned:
        return words, GREEN
    failed = sum(status.group is Group.FAIL for status in statuses)
    if failed:
        return f"{words}, {failed:,} fail", AMBER
    return f"{words}, {planned - passed:,} without answer", GREY


def _text(words: str, middle: float, width: int) -> str:
    return f'<text x="{middle:g}" y="14" textLength="{width - 12}">{escape(words)}</text>'
