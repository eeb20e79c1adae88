"""Make a run's reports again from its folder, in seconds, whether the run has ended or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harness.errors import ConfigError
from harness.matrix.cell import Outcome
from harness.report import frames, terminal, verdicts
from harness.report.compare import Comparison, compare
from harness.report.formats import FORMATS, Format, text
from harness.report.rundir import Run, load, write_atomically
from harness.verdict import known


@dataclass(frozen=True)
class Summary:
    """What a run came to, and what changed since another one if that was asked for."""

    run: Run
    cells: pd.DataFrame
    """One row a final cell, as `harness.report.frames.cell_states` gives it."""
    counts: dict[Outcome, int]
    comparison: Comparison | None = None

    @property
    def planned(self) -> int:
        """How many cells the run was to have."""
        return self.run.planned

    def text(self, *, colour: bool = False, width: int = terminal.WIDTH) -> str:
        """What the terminal prints: matrix, causes, counts, folder, changes; `width` in columns."""
        return text(self.run, self.cells, self.comparison, colour=colour, width=width)

    def render(self, chosen: Format) -> str:
        """The run in another format."""
        return chosen.write(self.run, self.cells, self.comparison)


def summarise(run_dir: Path, against: Path | None = None) -> Summary:
    """Read a run, count it and compare it with the run in `against`, writing nothing.

    Raises HarnessError if there is no run to read, ConfigError if a run is to be compared with itself.
    """
    if against is not None and against.resolve() == run_dir.resolve():
        raise ConfigError(f"{run_dir} cannot be compared with itself", hint="ls reports/")
    knowledge = known.load()

    def read(directory: Path) -> tuple[Run, pd.DataFrame]:
        run = load(directory)
        return run, frames.cell_states(run, verdicts.judge(run, knowledge))

    run, cells = read(run_dir)
    comparison = None if against is None else compare(*read(against), run, cells)
    return Summary(run, cells, frames.counts(cells["outcome"]), comparison)


def write_reports(run_dir: Path, against: Path | None = None) -> Summary:
    """Write every format of `harness.report.formats` into the run's folder, each file whole or not at all.

    Raises HarnessError if there is no run to read, OSError if the disk does not take the files.
    """
    summary = summarise(run_dir, against)
    for chosen in FORMATS.values():
        write_atomically(run_dir / chosen.file, summary.render(chosen))
    return summary
