"""The matrix as text: readable without colour, in 100 columns, with nothing in it that drives a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

import pandas as pd
from rich.cells import cell_len, set_cell_size
from tabulate import SEPARATING_LINE, tabulate

from harness.matrix.cell import Outcome
from harness.report import frames
from harness.report.frames import Cause
from harness.report.rundir import Run
from harness.report.sanitize import visible

WIDTH = 100
GLYPHS: Mapping[Outcome, str] = {
    Outcome.PASS: "✓",
    Outcome.SKIP: "–",
    Outcome.FLAKY: "~",
    Outcome.ERROR: "!",
    Outcome.FAIL: "✗",
}
_COLOURS = {Outcome.PASS: 32, Outcome.SKIP: 90, Outcome.FLAKY: 33, Outcome.ERROR: 35, Outcome.FAIL: 31}
_HEADING = 11
"""Columns to which a kernel's label is wrapped above its column."""
_PAGE = "index.html"
_CAUSES = 12
_CELLS = 6


def wants_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Colour goes to a terminal that can show it, unless `NO_COLOR` is set to anything."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def render(run: Run, cells: pd.DataFrame, *, colour: bool = False, width: int = WIDTH) -> str:
    """The matrix, what failed and why, the counts, the page or the run's folder. `width` is in columns."""
    blocks = [_userland(run, cells, str(name), colour, width) for name in dict.fromkeys(cells["userland"])]
    if blocks:
        blocks.append(_legend())
    blocks.append(_reasons(frames.causes(cells), colour, width))
    blocks.append(_counts(run, cells, colour, width))
    return "\n\n".join(block for block in blocks if block) + "\n"


def _userland(run: Run, cells: pd.DataFrame, name: str, colour: bool, width: int) -> str:
    here = cells[cells["userland"] == name]
    migrations = frames.lookup(frames.squares(here))
    baselines = frames.lookup(frames.squares(here, baselines=True))
    present = set(here["source"]) | set(here["destination"])
    kernels = [label for label in run.kernels if label in present]
    first = max([cell_len(visible(label, 40)) for label in kernels] + [_HEADING])
    widest = max([len(_square(s, False)) for s in (*migrations.values(), *baselines.values())] + [_HEADING])
    # A table's row is its first column and two more spaces before each further one.
    fitting = max(1, (width - first) // (widest + 2))
    columns: list[str | None] = [None, *kernels]
    tables = []
    for start in range(0, len(columns), fitting):
        chosen = columns[start : start + fitting]
        head = ["from \\ to", *("baseline" if c is None else _wrapped(visible(c, 40)) for c in chosen)]
        rows = [
            [visible(source, 40)]
            + [
                _square(
                    baselines.get((name, source, source)) if c is None else migrations.get((name, source, c)),
                    colour,
                )
                for c in chosen
            ]
            for source in kernels
        ]
        # As a row and not as tabulate's headers, which it makes two columns wider than they are.
        table = [head, SEPARATING_LINE, *rows]
        tables.append(tabulate(table, tablefmt="simple", disable_numparse=True, stralign="left"))
    criu = sorted({visible(str(version), 40) for version in here["criu"].dropna()})
    title = visible(name, 60) + (f" · CRIU {', '.join(criu)}" if criu else "")
    return "\n\n".join([title, *tables])


def _square(counted: tuple[int, int, str] | None, colour: bool) -> str:
    if counted is None:
        return "·"
    passed, total, outcome = counted
    worst = Outcome(outcome)
    return _paint(f"{GLYPHS[worst]} {passed}/{total} {worst}", worst, colour)


def _wrapped(label: str) -> str:
    # tabulate takes a heading of several lines; a label breaks after its hyphens, where a reader would.
    lines = textwrap.wrap(label, _HEADING, break_on_hyphens=True) or [""]
    return "\n".join(set_cell_size(line, min(cell_len(line), _HEADING)) for line in lines)


def _legend() -> str:
    glyphs = "  ".join(f"{GLYPHS[outcome]} {outcome}" for outcome in Outcome)
    return f"passed/total and the worst outcome: {glyphs}  · not run"


def _reasons(causes: Sequence[Cause], colour: bool, width: int) -> str:
    if not causes:
        return ""
    lines = ["What did not pass, worst first:"]
    for cause in causes[:_CAUSES]:
        told = ", ".join(str(v) if len(cause.verdicts) == 1 else f"{n} {v}" for v, n in cause.verdicts)
        head = f"{GLYPHS[cause.outcome]} {told} · in {cause.phase} · {len(cause.cells)} cells"
        lines += ["", _paint(_fit(head.replace(" 1 cells", " 1 cell"), width), cause.outcome, colour)]
        lines += textwrap.wrap(
            visible(cause.error or "no error line", 400),
            width - 4,
            initial_indent="    ",
            subsequent_indent="    ",
        )[:3]
        lines += [_fit(f"    {line}", width) for line in _knowledge(cause)]
        lines += [_fit(f"      {visible(cell, 200)}", width) for cell in cause.cells[:_CELLS]]
        if len(cause.cells) > _CELLS:
            lines.append(f"      … and {len(cause.cells) - _CELLS} more")
    if len(causes) > _CAUSES:
        rest = causes[_CAUSES:]
        lines += ["", f"… and {len(rest)} more causes with {sum(len(c.cells) for c in rest)} cells"]
    return "\n".join(_fit(line, width) if "\x1b" not in line else line for line in lines)


def _knowledge(cause: Cause) -> list[str]:
    """What is known of a cause, a line each."""
    lines = []
    if cause.known:
        lines.append(f"known: {', '.join(cause.known)} · {cause.interface} · blame: {cause.blame}")
    elif cause.outcome is Outcome.FAIL:
        lines.append(f"not known before · blame: {cause.blame or 'nobody'}")
    if cause.looks_like:
        lines.append(
            f"looks like, in other versions than those it is known for: {', '.join(cause.looks_like)}"
        )
    if cause.remedy:
        lines.append(f"what helps: {cause.remedy}")
    lines += [f"tried on {n} of the cells: {visible(said, 200)}" for said, n in cause.remedied]
    return lines


def _counts(run: Run, cells: pd.DataFrame, colour: bool, width: int) -> str:
    tally = frames.counts(cells["outcome"])
    parts = [_paint(f"{n} {outcome}", outcome, colour) for outcome, n in tally.items() if n]
    done = sum(tally.values())
    of = f"{done} cells" if done == run.planned else f"{done} of {run.planned} cells"
    state = "" if run.facts.get("finished") else "  (the run has not finished)"
    verdicts = frames.verdict_counts(cells["verdict"])
    meaning = ", ".join(f"{n} {verdict}" for verdict, n in verdicts.items() if n)
    counted = f"{of}: {', '.join(parts) or 'none has ended yet'}{state}"
    return "\n".join([counted, *textwrap.wrap(meaning, width), _place(run)])


def _place(run: Run) -> str:
    """The page's path, or the folder's where there is no page."""
    page = run.directory / _PAGE
    return visible(str(from_here(page if page.is_file() else run.directory)), None)


def _fit(line: str, width: int) -> str:
    return line if cell_len(line) <= width else set_cell_size(line, width - 1) + "…"


def _paint(text: str, outcome: Outcome, colour: bool) -> str:
    return f"\x1b[{_COLOURS[outcome]}m{text}\x1b[0m" if colour else text


def from_here(directory: Path) -> Path:
    """A path as a user in the working directory would type it."""
    here = Path.cwd()
    return directory.relative_to(here) if directory.is_relative_to(here) else directory
