"""The nouns of history: an earlier run, a cell's strip of verdicts, the sightings of a signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from harness.verdict.verdict import Verdict

BROKEN = frozenset(
    {
        Verdict.STATE_CHANGED,
        Verdict.KERNEL_CRASH,
        Verdict.CROSS_KERNEL_BREAKAGE,
        Verdict.DESTINATION_BROKEN,
        Verdict.SOURCE_BROKEN,
        Verdict.BACKWARD_ONLY,
        Verdict.UNDETERMINED,
    }
)
"""The question was asked, and the state did not arrive: whatever the reason, it is no lab error and no flake."""


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
    scope: str | None
    """Digest of what must be the same for a fair comparison; None if that is not known."""
    verdicts: Mapping[Verdict, int]
    """How many cells of each verdict, worst first, every verdict present."""

    @property
    def cells(self) -> int:
        """How many cells have their last word."""
        return sum(self.verdicts.values())

    @property
    def pass_rate(self) -> float | None:
        """Compatible cells of all that have their last word, 0 to 1; None without any."""
        return self.verdicts[Verdict.COMPATIBLE] / self.cells if self.cells else None

    @property
    def broken(self) -> int:
        """How many cells did not bring the state across, lab errors and flakes not counted."""
        return sum(n for verdict, n in self.verdicts.items() if verdict in BROKEN)


@dataclass(frozen=True)
class Mark:
    """One cell in one run."""

    run: PastRun
    verdict: Verdict | None
    """None if the run has no last word on the cell."""
    fair: bool | None
    """Whether the run compares fairly with the one that the strip leads to; None if that is not known."""


@dataclass(frozen=True)
class Strip:
    """A cell in the last runs, oldest first. Strips of one question share `runs` and `fair`."""

    cell: str
    runs: tuple[PastRun, ...]
    fair: tuple[bool | None, ...]
    verdicts: tuple[Verdict | None, ...]

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
    """A cell that is broken in a run and was compatible in the one before."""

    cell: str
    verdict: Verdict
    signature: str | None
