"""Make a run's reports again from its folder, in seconds, whether the run has ended or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harness.matrix.cell import Outcome
from harness.report import exports, frames, page, pairs, terminal, verdicts
from harness.report.rundir import Run, load, write_atomically


@dataclass(frozen=True)
class Summary:
    """What a run came to."""

    run: Run
    cells: pd.DataFrame
    """One row a final cell, as `harness.report.frames.cell_states` gives it."""
    counts: dict[Outcome, int]

    @property
    def planned(self) -> int:
        """How many cells the run was to have."""
        return self.run.planned

    def text(self, *, colour: bool = False, width: int = terminal.WIDTH) -> str:
        """What the terminal prints: matrix, causes, counts, folder; `width` in columns."""
        return terminal.render(self.run, self.cells, colour=colour, width=width)


def summarise(run_dir: Path) -> Summary:
    """Read a run and count it, writing nothing. Raises HarnessError if there is no run to read."""
    run = load(run_dir)
    cells = frames.cell_states(run, verdicts.judge(run))
    return Summary(run, cells, frames.counts(cells["outcome"]))


def write_reports(run_dir: Path) -> Summary:
    """Write `matrix.json`, `matrix.csv`, `scenarios.md` and `index.html`, each whole or not at all.

    Raises HarnessError if there is no run to read, OSError if the disk does not take the files.
    """
    summary = summarise(run_dir)
    write_atomically(run_dir / exports.JSON_FILE, exports.as_json(summary.run, summary.cells))
    write_atomically(run_dir / exports.CSV_FILE, exports.as_csv(summary.cells))
    write_atomically(run_dir / pairs.FILE, pairs.render(summary.run, summary.cells))
    write_atomically(run_dir / page.FILE, page.render(summary.run, summary.cells))
    return summary
