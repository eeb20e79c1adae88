"""The cells of a run one by one, as formats that list them want them: typed, with the status that all formats share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from harness.report.sanitize import visible
from harness.report.status import Status, status_of
from harness.verdict.verdict import Verdict

ERROR_SHOWN = 300
"""Characters of an error in one line of a report; the ledger has all of it."""


class Result(NamedTuple):
    """One cell and what became of it. `cell`, `error`, `signature`, `criu` and `cpu` are untrusted text."""

    cell: str
    userland: str
    mode: str
    scenario: str
    source: str
    destination: str
    phase: str
    error: str | None
    signature: str | None
    attempts: int
    isolation: str
    seconds: float
    criu: str | None
    accelerator: str
    cpu: str
    why: str
    direction: str
    blame: str | None
    known: str | None
    verdict: Verdict
    status: Status

    @property
    def reason(self) -> str:
        """The verdict and, on the same line, what was said; safe to show, not yet escaped."""
        said = f": {visible(self.error, ERROR_SHOWN)}" if self.error else ""
        return f"{self.verdict}{said}"


_COLUMNS = Result._fields[:-2]


def results(cells: pd.DataFrame) -> Iterator[Result]:
    """Every cell that has its last word, in the frame's order."""
    columns = (cells[name].tolist() for name in (*_COLUMNS, "verdict", "outcome"))
    for *values, verdict, outcome in zip(*columns, strict=True):
        yield Result._make((*values, Verdict(verdict), status_of(verdict, outcome)))
