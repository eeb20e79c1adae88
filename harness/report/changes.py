"""What changed since another run, as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

import pandas as pd

from harness.report.compare import ChangeKind, Comparison, counted, headline
from harness.report.rundir import Run
from harness.report.sanitize import visible

_CELLS = 4
_CAUSES = 8
_WORDS = 400


def render(run: Run, cells: pd.DataFrame, comparison: Comparison, *, width: int) -> str:
    """The headline, what makes the comparison unfair, and the changes by kind and cause; `width` is in columns."""
    lines = [*_wrapped(headline(run, cells, comparison), width, ""), ""]
    lines += _alike(comparison, width)
    for kind in ChangeKind:
        lines += _kind(comparison, kind, width)
    if comparison.lost:
        lines += [f"no answer any more · {counted(len(comparison.lost), 'cell')}"]
        lines += _named([str(one.cell) for one in comparison.lost], width)
    return "\n".join([*lines, ""])


def _alike(comparison: Comparison, width: int) -> Iterator[str]:
    if comparison.fair:
        yield "The two runs are alike in all but their kernels."
    else:
        yield "Not a fair comparison, the two runs differ in more than their kernels:"
    for words in comparison.differences:
        yield from _wrapped(words, width, "  ")
    for words in comparison.unknown:
        yield from _wrapped(f"{words}, so it may differ", width, "  ")
    for words in comparison.kernels_changed:
        yield from _wrapped(f"another kernel: {words}", width, "  ")
    yield ""


def _kind(comparison: Comparison, kind: ChangeKind, width: int) -> Iterator[str]:
    found = comparison.of_kind(kind)
    if not found:
        return
    other = tuple(change for change in found if change.other_cause)
    said = f", {len(other)} of them for another reason" if other else ""
    yield f"{kind} · {counted(len(found), 'cell')}{said}"
    shown = other if kind is ChangeKind.STILL_FAILING else found
    groups = list(Comparison.causes_of(shown).items())
    for signature, members in groups[:_CAUSES]:
        if signature:
            yield from _wrapped(signature, width, "    ")[:3]
        yield from _named([str(change.cell) for change in members], width)
    if len(groups) > _CAUSES:
        yield f"    … and {len(groups) - _CAUSES} more causes"
    yield ""


def _named(cells: Sequence[str], width: int) -> Iterator[str]:
    for cell in cells[:_CELLS]:
        yield from _wrapped(cell, width, "      ")
    if len(cells) > _CELLS:
        yield f"      … and {len(cells) - _CELLS} more"


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(visible(text, _WORDS), width, initial_indent=indent, subsequent_indent=indent)
