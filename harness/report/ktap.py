"""`results.ktap`: KTAP version 1, as the kernel's own tests speak it; a test for each pair of kernels, its cells below.

Documentation/dev-tools/ktap.rst in the kernel's tree is the specification: a description holds no `#`, a level is two
spaces, a parent fails with any of its subtests, and diagnostics stand before the line that they are about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from harness.report.compare import headline
from harness.report.results import Result, results
from harness.report.rundir import Run
from harness.report.sanitize import visible
from harness.report.status import Status

FILE = "results.ktap"
_STEP = "  "
_NAME = 200


def render(run: Run, cells: pd.DataFrame) -> str:
    """The document. Planned cells without a result are a test of their own, which is an error."""
    pairs: dict[str, list[Result]] = {}
    for one in results(cells):
        way = one.source if one.source == one.destination else f"{one.source}->{one.destination}"
        pairs.setdefault(f"{one.userland}/{one.mode}/{way}", []).append(one)
    missing = run.planned - len(cells)
    lines = ["KTAP version 1", f"# {_text(headline(run, cells), 1000)}", f"1..{len(pairs) + bool(missing)}"]
    for number, (name, members) in enumerate(pairs.items(), 1):
        lines += _pair(number, _text(name), members)
    if missing:
        lines.append(f"not ok {len(pairs) + 1} complete # ERROR {missing} planned cells have no result")
    return "\n".join([*lines, ""])


def _pair(number: int, name: str, members: Sequence[Result]) -> Iterator[str]:
    yield f"{_STEP}KTAP version 1"
    yield f"{_STEP}# Subtest: {name}"
    yield f"{_STEP}1..{len(members)}"
    for place, one in enumerate(members, 1):
        terms, scenario = one.status.terms, _text(one.scenario)
        if one.status is not Status.PASS:
            yield f"{_STEP}# {scenario}: {_text(one.why, 1000)}"
        yield f"{_STEP}{_result(place, scenario, ok=terms.ok)}{_directive(one)}"
    yield f"{_result(number, name, ok=all(one.status.terms.ok for one in members))}{_bubbled(members)}"


def _result(number: int, name: str, *, ok: bool) -> str:
    return f"{'ok' if ok else 'not ok'} {number} {name}"


def _directive(one: Result) -> str:
    if one.status is Status.PASS:
        return ""
    keyword = one.status.terms.ktap
    return f" # {f'{keyword} ' if keyword else ''}{_text(one.reason, 1000)}"


def _bubbled(members: Sequence[Result]) -> str:
    """What the pair's own line says: it fails only where a cell does, else it is the lab's error, or skipped whole."""
    seen = {one.status for one in members}
    if Status.FAIL in seen:
        return ""
    if any(not status.terms.ok for status in seen):
        return " # ERROR some cells have no answer"
    if Status.PASS not in seen:
        return " # SKIP no cell has an answer"
    return ""


def _text(value: str, limit: int = _NAME) -> str:
    """One line without the sign that begins a directive."""
    return visible(value, limit).replace("#", "\\x23")
