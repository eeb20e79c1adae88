"""Runs whose answers are known beforehand: a checkout with scenarios of the tests' own, and what its cells are judged.

The scenarios in `proof/` do on purpose what a kernel, CRIU or the lab might do by itself. They are in no checkout that
a user runs: only a copy made for a test has them.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import kmatrix_process
from kmatrix_process import ROOT

from harness.cache import Cache
from harness.matrix.cell import Cell, Outcome
from harness.matrix.ledger import Attempt, final_states, read
from harness.report.rundir import Run, load
from harness.report.verdicts import REMEDIES, judge
from harness.upstream.choose import Case, choose
from harness.verdict.known import Breakage
from harness.verdict.known import load as load_known
from harness.verdict.verdict import Judgement

PROOF = Path(__file__).parent / "proof"


def checkout(directory: Path) -> Path:
    """A checkout with the project's own scenarios and kernels, and those of the proof."""
    scenarios = shutil.copytree(ROOT / "scenarios", directory / "scenarios")
    shutil.copytree(PROOF, scenarios, dirs_exist_ok=True)
    for name in ("conftest.py", "kernels.yaml"):
        shutil.copy(ROOT / name, directory)
    return directory


@dataclass(frozen=True)
class Proof:
    """A run that has ended, judged."""

    userland: str
    place: Path
    """The checkout."""
    directory: Path
    printed: str
    """What `kmatrix run` said."""

    @cached_property
    def run(self) -> Run:
        """The run's folder, read."""
        return load(self.directory)

    @cached_property
    def states(self) -> dict[Cell, Attempt]:
        """The last word of every cell, and of those that were run again with what should help."""
        return self.run.final | final_states(read(self.directory / REMEDIES))

    @cached_property
    def judgements(self) -> dict[Cell, Judgement]:
        """As the reports have them."""
        return judge(self.run)

    def cell(self, scenario: str, source: str, destination: str) -> Cell:
        """A cell by the kernels' versions, e.g. `6.1`."""
        return Cell(self.userland, "cold", scenario, f"debian-{source}", f"debian-{destination}")

    def of(self, scenario: str, source: str, destination: str) -> Judgement:
        """What a cell is judged."""
        return self.judgements[self.cell(scenario, source, destination)]

    def last(self, scenario: str, source: str, destination: str) -> Attempt:
        """A cell's last word."""
        return self.states[self.cell(scenario, source, destination)]

    def tries(self, scenario: str, source: str, destination: str) -> list[Outcome]:
        """What each attempt at a cell ended in."""
        cell = self.cell(scenario, source, destination)
        return [attempt.outcome for attempt in self.run.attempts if attempt.cell == cell]

    def baselines(self) -> set[Outcome]:
        """What became of the controls without CRIU."""
        return {last.outcome for cell, last in self.states.items() if cell.is_baseline}

    def log(self, name: str, scenario: str, source: str, destination: str) -> str:
        """One of the logs of a cell's last attempt."""
        path = self.run.log(self.last(scenario, source, destination).logs[name])
        assert path is not None
        return path.read_text("utf-8", "replace")

    def upstream(self, scenario: str, source: str, destination: str) -> Case:
        """What `kmatrix upstream` finds for and against a report of a cell."""
        name = str(self.cell(scenario, source, destination))
        return choose(self.run, name, self.judgements, load_known().entries, Cache())


def prove(place: Path, userland: str, *arguments: str) -> Proof:
    """Carry a run out in a checkout."""
    directory = place / "run"
    done = kmatrix_process.run(
        "run", "--userlands", userland, "--confirm", "cause", "--run-dir", str(directory), *arguments,
        cwd=place, PYTHONPATH=str(ROOT),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return Proof(userland, place, directory, done.stdout)


def entry(judgement: Judgement) -> Breakage:
    """The entry of `known.yaml` that a cell is known as."""
    assert judgement.known is not None, f"{judgement.cell} is not known: {judgement}"
    return load_known().entries[judgement.known]
