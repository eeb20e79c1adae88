"""The run as Markdown, a row for each scenario and a column for each ordered pair of kernels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pandas as pd
from tabulate import tabulate

from harness.matrix.cell import Outcome
from harness.report import frames
from harness.report.frames import Cause
from harness.report.rundir import Run
from harness.report.sanitize import visible
from harness.report.terminal import GLYPHS

FILE = "scenarios.md"
_ERROR = 160
"""Characters of an error line."""
_NAMED = 8
"""Scenarios of a cause that are named."""
_MARKUP = re.compile(r"([\\`*_{}\[\]<>|#&~])")

Key = tuple[str, str, str]
"""Scenario, source, destination."""


def render(run: Run, cells: pd.DataFrame) -> str:
    """Kernels, one table for each userland, and what did not pass; nothing in it is markup of the guest's."""
    blocks = [f"# Scenarios by kernel pair: {_text(run.name)}", _kernels(run, cells), _legend()]
    for userland in dict.fromkeys(cells["userland"]):
        here = cells[cells["userland"] == userland]
        criu = ", ".join(sorted({str(version) for version in here["criu"].dropna()}))
        blocks += [f"## {_text(userland)}, CRIU {_text(criu)}", _table(_present(run, cells), here)]
    blocks += ["## What did not pass", *_causes(cells)]
    return "\n\n".join(blocks) + "\n"


def _present(run: Run, cells: pd.DataFrame) -> list[str]:
    present = set(cells["source"]) | set(cells["destination"])
    return [label for label in run.kernels if label in present]


def _kernels(run: Run, cells: pd.DataFrame) -> str:
    listed = run.plan.get("kernels", [])
    releases = {str(k["label"]): str(k["release"]) for k in listed if isinstance(k, dict) and "release" in k}
    rows = [
        [number, _text(label), _text(releases.get(label, ""))]
        for number, label in enumerate(_present(run, cells), 1)
    ]
    return tabulate(rows, headers=["no.", "kernel", "release"], tablefmt="github", disable_numparse=True)


def _legend() -> str:
    glyphs = ", ".join(f"{glyph} {outcome}" for outcome, glyph in GLYPHS.items())
    return f"`b2` is the baseline on kernel 2, `2→3` the move from kernel 2 to kernel 3. {glyphs}, · not run."


def _table(kernels: list[str], cells: pd.DataFrame) -> str:
    numbers = {label: number for number, label in enumerate(kernels, 1)}
    columns = ("scenario", "source", "destination", "baseline", "outcome")
    moves: dict[Key, Outcome] = {}
    baselines: dict[Key, Outcome] = {}
    for scenario, source, destination, baseline, outcome in cells[list(columns)].itertuples(
        index=False, name=None
    ):
        chosen = baselines if baseline else moves
        key = (scenario, source, destination)
        chosen[key] = max(chosen.get(key, Outcome.PASS), Outcome(outcome), key=lambda o: o.rank)
    pairs = [(source, destination) for source in kernels for destination in kernels]
    head = [
        "scenario",
        *(f"b{numbers[k]}" for k in kernels),
        *(f"{numbers[a]}→{numbers[b]}" for a, b in pairs),
    ]
    rows = [
        [
            _text(scenario),
            *(_glyph(baselines, (scenario, k, k)) for k in kernels),
            *(_glyph(moves, (scenario, a, b)) for a, b in pairs),
        ]
        for scenario in sorted(set(cells["scenario"]))
    ]
    return tabulate(rows, headers=head, tablefmt="github", disable_numparse=True)


def _glyph(found: Mapping[Key, Outcome], key: Key) -> str:
    return GLYPHS[found[key]] if key in found else "·"


def _causes(cells: pd.DataFrame) -> Iterator[str]:
    """Grouped by what CRIU or the check said; skips are told by their reason alone."""
    scenarios = dict(zip(cells["cell"], cells["scenario"], strict=True))
    pairs = dict(zip(cells["cell"], zip(cells["source"], cells["destination"], strict=True), strict=True))
    for cause in frames.causes(cells):
        named = list(dict.fromkeys(scenarios[cell] for cell in cause.cells))
        moves = list(dict.fromkeys("→".join(pairs[cell]) for cell in cause.cells))
        yield (
            f"- {GLYPHS[cause.outcome]} **{cause.worst}** in {cause.phase}, {len(cause.cells)} cells: "
            f"{_text(cause.error[:_ERROR] or 'no error line')}\n"
            f"{_known(cause)}"
            f"  - scenarios: {_listed(named)}\n  - moves: {_listed(moves)}"
        )


def _known(cause: Cause) -> str:
    if not cause.known:
        return ""
    return f"  - known: {_text(', '.join(cause.known))} ({_text(cause.interface)}), blame: {cause.blame}\n"


def _listed(names: list[str]) -> str:
    shown = ", ".join(_text(name) for name in names[:_NAMED])
    return shown + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _text(value: object) -> str:
    """Text of a guest's or of the host's, with Markdown's own signs escaped."""
    return _MARKUP.sub(r"\\\1", visible(str(value)))
