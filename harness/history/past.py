"""The nouns of history: an earlier run, a cell's strip of verdicts, the sightings of a signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from harness.report.charts import RunCounts
from harness.report.scope import Scope
from harness.report.status import Status
from harness.verdict.verdict import Verdict


@dataclass(frozen=True)
class PastRun:
    """A run as the index knows it."""

    folder: str
    """Name of its folder in the reports folder."""
    name: str
    """The run's id, untrusted."""
    began: datetime
    """UTC. Of `run.json`, else of the ledger's first line, else of the folder."""
    finished: datetime | None
    """None if the run goes on or was stopped."""
    planned: int
    """How many cells it was to have."""
    scope: Scope
    """What must be alike for a fair comparison."""
    headline: str
    """Its state in a sentence, untrusted; it speaks of no other run."""
    verdicts: Mapping[Verdict, int]
    """How many cells of each verdict, worst first, every verdict present."""
    statuses: Mapping[Status, int]
    """How many cells of each status, every status present."""

    @property
    def cells(self) -> int:
        """How many cells have their last word."""
        return sum(self.verdicts.values())

    @property
    def counts(self) -> RunCounts:
        """The run as the pictures want it."""
        return RunCounts(self.name, self.began.isoformat(), self.verdicts)

    @property
    def pass_rate(self) -> float | None:
        """Share of compatible cells among those that got an answer, 0 to 1; None if none did."""
        return self.counts.rate


@dataclass(frozen=True)
class Mark:
    """One cell in one run."""

    run: PastRun
    verdict: Verdict | None
    """None if the run has no last word on the cell."""
    fair: bool | None
    """Whether the run compares fairly with the one that the strip leads to; None if it did not say enough."""


@dataclass(frozen=True)
class Strip:
    """A cell in the last runs, oldest first. Strips of one question share `runs`, `fair` and `eras`."""

    cell: str
    runs: tuple[PastRun, ...]
    fair: tuple[bool | None, ...]
    eras: tuple[int, ...]
    """A number for each run; from one run to the next it is another where the two are known to be unlike."""
    verdicts: tuple[Verdict | None, ...]
    statuses: tuple[Status | None, ...]

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The same, run by run."""
        return tuple(map(Mark, self.runs, self.verdicts, self.fair))


@dataclass(frozen=True)
class Sighting:
    """Where a signature was seen."""

    signature: str
    """Untrusted."""
    first: PastRun
    last: PastRun
    runs: int
    """In how many runs."""
    cells: int
    """How many cells it ever hit."""
    verdicts: frozenset[Verdict]
    """What it meant for them."""


@dataclass(frozen=True)
class Change:
    """A cell that fails in a run and did not in the one before."""

    cell: str
    verdict: Verdict
    before: Verdict | None
    """None if the run before did not have the cell."""
    signature: str | None
