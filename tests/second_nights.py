"""A second night with every verdict and every kind of change, and what a format makes of it."""

from __future__ import annotations

from pathlib import Path

import ledgers

from harness.report.formats import named
from harness.report.rundir import encoded
from harness.report.write import Summary, summarise


def second_night(directory: Path, *, hostile: bool = False) -> Summary:
    """The night after another; with hostile text everywhere, if asked for."""
    nights = ledgers.nights(8, 12, hostile=hostile)
    before = nights.before.write(directory / "a", logs=True)
    return summarise(nights.after.write(directory / "b", logs=True), before)


def rendered(told: Summary, name: str) -> str:
    """A format as whoever opens the file gets it."""
    return encoded(told.render(named(name))).decode("utf-8")
