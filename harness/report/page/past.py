"""What earlier runs say, as far as the page shows it. Whoever asks the history fills it in; a page can do without."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from harness.history.history import History
from harness.history.past import PastRun, Sighting, Strip
from harness.report.charts import RunCounts
from harness.report.page.looks import BY_RANK
from harness.report.page.pack import Words, pack
from harness.report.rundir import Run
from harness.report.sanitize import visible

LATEST = "latest"
"""In a folder of runs: the link to the newest. A folder without it is not taken for one."""
_NEVER = "."
"""In a strip: the run has no last word on the cell."""
_NAME = 200


@dataclass(frozen=True)
class Past:
    """Answers of `harness.history` that go with one run."""

    strips: Mapping[str, Strip] = field(default_factory=dict)
    """By cell name."""
    seen: Mapping[str, Sighting] = field(default_factory=dict)
    """By signature."""
    trend: Sequence[PastRun] = ()
    """Oldest first."""
    trouble: str = ""
    """Why earlier runs cannot be told, where there are any. Untrusted text."""

    @property
    def counts(self) -> list[RunCounts]:
        """The trend as the pictures take it."""
        return [run.counts for run in self.trend]

    def first_seen(self, signature: str) -> str:
        """When and in which run a signature was first seen; empty if that is not known."""
        sighting = self.seen.get(signature)
        return (
            ""
            if sighting is None
            else f"{sighting.first.began:%Y-%m-%d} in {visible(sighting.first.name, _NAME)}"
        )

    def as_json(self, cells: Sequence[str]) -> dict[str, Any]:
        """Runs, distinct strips (a character a run), and which strip each cell has from 1 on; 0 has none."""
        words, column = Words([""]), list[int]()
        runs: tuple[PastRun, ...] = ()
        for name in cells:
            strip = self.strips.get(name)
            column.append(0 if strip is None else words.place(_letters(strip)))
            runs = strip.runs if strip is not None and len(strip.runs) > len(runs) else runs
        fair = next((strip.fair for strip in self.strips.values() if strip.runs == runs), ())
        return {
            "runs": [
                {"name": visible(run.name, _NAME), "began": f"{run.began:%Y-%m-%d %H:%M}", "fair": like}
                for run, like in zip(runs, fair, strict=True)
            ],
            "strips": words.listed,
            "column": pack(column),
        }


NO_PAST = Past()


def of(run: Run, cells: pd.DataFrame) -> Past:
    """What the runs in the same folder say that began before this one; why nothing, where they cannot be read.

    A report of this run is never lost for a fault of its past.
    """
    reports = run.directory.resolve().parent
    if not (reports / LATEST).is_symlink():
        return NO_PAST
    try:
        with History.open(reports, leave=run.directory) as history:
            return Past(
                strips=history.strip(list(cells["cell"]), before=run),
                seen=history.signatures(before=run),
                trend=history.trend(before=run),
            )
    except (OSError, sqlite3.Error) as error:
        return Past(trouble=f"{reports.name}: {error}")


def _letters(strip: Strip) -> str:
    return "".join(
        _NEVER if verdict is None else chr(ord("a") + BY_RANK.index(verdict)) for verdict in strip.verdicts
    )
