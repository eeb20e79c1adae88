"""`matrix.md`: the matrix and its causes as Markdown, for an issue, a wiki or a mail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
from tabulate import tabulate

from harness.matrix.cell import Outcome
from harness.report import frames
from harness.report.compare import ChangeKind, Comparison, counted, headline
from harness.report.frames import Cause
from harness.report.markup import code, plain
from harness.report.rundir import Run
from harness.report.terminal import GLYPHS

FILE = "matrix.md"
_CELLS = 6
_ERROR = 300


def render(run: Run, cells: pd.DataFrame, comparison: Comparison | None = None) -> str:
    """The whole of it: state, matrices, what changed, what did not pass. No limit but those of its lines."""
    blocks = [f"# Compatibility of {plain(run.name)}", state(run, cells, comparison), *matrices(run, cells)]
    if comparison is not None:
        blocks += ["\n".join(changes(comparison))]
    blocks += ["\n".join(causes(frames.causes(cells)))]
    return "\n\n".join(block for block in blocks if block) + "\n"


def state(run: Run, cells: pd.DataFrame, comparison: Comparison | None) -> str:
    """The headline as a paragraph."""
    return f"{plain(headline(run, cells, comparison), 1000)}."


def matrices(run: Run, cells: pd.DataFrame) -> Iterator[str]:
    """A table for each userland: source by destination, the baseline first, then what the glyphs mean."""
    for userland in dict.fromkeys(cells["userland"]):
        here = cells[cells["userland"] == userland]
        criu = ", ".join(sorted({str(version) for version in here["criu"].dropna()}))
        yield f"## {plain(str(userland))}, CRIU {plain(criu or 'unknown')}"
        yield _matrix(run, here, str(userland))
    if len(cells):
        glyphs = ", ".join(f"{glyph} {outcome}" for outcome, glyph in GLYPHS.items())
        yield f"From the kernel of the row to that of the column: passed/total, worst outcome. {glyphs}, · not run."


def _matrix(run: Run, cells: pd.DataFrame, userland: str) -> str:
    moves = frames.lookup(frames.squares(cells))
    baselines = frames.lookup(frames.squares(cells, baselines=True))
    present = set(cells["source"]) | set(cells["destination"])
    kernels = [label for label in run.kernels if label in present]
    rows = [
        [
            plain(source, 40),
            _square(baselines.get((userland, source, source))),
            *(_square(moves.get((userland, source, destination))) for destination in kernels),
        ]
        for source in kernels
    ]
    head = ["from \\ to", "baseline", *(plain(label, 40) for label in kernels)]
    return tabulate(rows, headers=head, tablefmt="github", disable_numparse=True)


def _square(found: tuple[int, int, str] | None) -> str:
    return "·" if found is None else f"{GLYPHS[Outcome(found[2])]} {found[0]}/{found[1]}"


def changes(comparison: Comparison) -> Iterator[str]:
    """Lines: what makes the comparison unfair, which kernels are others, and the changes by kind and cause."""
    yield f"## Since {plain(comparison.before)}"
    yield ""
    for what, told in (
        ("unlike", comparison.differences),
        ("not known to be alike", comparison.unknown),
        ("another kernel", comparison.kernels_changed),
    ):
        yield from (f"- {what}: {plain(words)}" for words in told)
    if not (comparison.changes or comparison.lost):
        yield "- nothing changed, and nothing fails"
    for kind in ChangeKind:
        found = comparison.of_kind(kind)
        if not found:
            continue
        yield f"- **{kind}**: {counted(len(found), 'cell')}"
        if kind is ChangeKind.STILL_FAILING:
            found = tuple(change for change in found if change.other_cause)
            if found:
                yield f"  - {counted(len(found), 'cell')} for another reason than before"
        for signature, members in Comparison.causes_of(found).items():
            yield f"  - {_what(signature)}{counted(len(members), 'cell')}: {_named([str(c.cell) for c in members])}"
    if comparison.lost:
        yield f"- **no answer any more**: {counted(len(comparison.lost), 'cell')}"
        yield f"  - {_named([str(one.cell) for one in comparison.lost])}"


def _what(signature: str) -> str:
    return f"{code(signature, _ERROR)}, " if signature else ""


def causes(found: Sequence[Cause]) -> Iterator[str]:
    """Lines: why cells did not pass, worst first."""
    if not found:
        return
    yield "## What did not pass"
    yield ""
    for cause in found:
        verdicts = ", ".join(f"{number} {verdict}" for verdict, number in cause.verdicts)
        said = code(cause.error or "no error line", _ERROR)
        yield f"- {GLYPHS[cause.outcome]} **{verdicts}** in {cause.phase}: {said}"
        if cause.known:
            known = ", ".join(cause.known)
            yield f"  - known: {plain(known)}, blame: {cause.blame}, {plain(cause.interface or 'no interface')}"
        yield f"  - {_named(cause.cells)}"


def _named(cells: Sequence[str]) -> str:
    more = f" and {len(cells) - _CELLS} more" if len(cells) > _CELLS else ""
    return ", ".join(code(cell) for cell in cells[:_CELLS]) + more
