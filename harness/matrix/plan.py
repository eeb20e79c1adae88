"""The plan: which cells a run has, the controls among them, and what each cell waits for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.matrix.cell import Cell


class Kind(StrEnum):
    """What a worker does at a guest."""

    BASELINE = "baseline"
    DUMP = "dump"
    RESTORE = "restore"


@dataclass(frozen=True, order=True)
class Task:
    """One piece of work at one guest."""

    kind: Kind
    userland: str
    mode: str
    scenario: str
    source: str
    destination: str
    """Where the work happens; for a restore the other kernel, else the source itself."""

    @property
    def guest(self) -> tuple[str, str]:
        """(userland, kernel) of the guest in which the work happens."""
        return (self.userland, self.destination)

    @property
    def cell(self) -> Cell:
        """The cell that a baseline or a restore decides. A dump decides none by itself."""
        if self.kind is Kind.BASELINE:
            return Cell.baseline(self.userland, self.scenario, self.source)
        return Cell(self.userland, self.mode, self.scenario, self.source, self.destination)


def task_of(cell: Cell) -> Task:
    """The task that decides a cell."""
    kind = Kind.BASELINE if cell.is_baseline else Kind.RESTORE
    return Task(kind, cell.userland, cell.mode, cell.scenario, cell.source, cell.destination)


def baseline_task(userland: str, scenario: str, kernel: str) -> Task:
    """The baseline of a scenario on a kernel."""
    return task_of(Cell.baseline(userland, scenario, kernel))


def dump_task(cell: Cell) -> Task:
    """The dump that a migration cell restores."""
    return Task(Kind.DUMP, cell.userland, cell.mode, cell.scenario, cell.source, cell.source)


def product(
    userlands: Sequence[str], modes: Sequence[str], scenarios: Sequence[str], kernels: Sequence[str]
) -> list[Cell]:
    """Every cell of a matrix: all baselines, and every ordered pair of kernels, the diagonal included."""
    baselines = [Cell.baseline(u, s, k) for u in userlands for s in scenarios for k in kernels]
    pairs = [
        Cell(u, m, s, source, destination)
        for u in userlands
        for m in modes
        for s in scenarios
        for source in kernels
        for destination in kernels
    ]
    return baselines + pairs


def with_controls(cells: Iterable[Cell]) -> list[Cell]:
    """`cells` and every control that tells their causes apart: both baselines and both diagonals of each."""
    found: dict[Cell, None] = {}
    for cell in cells:
        for kernel in dict.fromkeys((cell.source, cell.destination)):
            found[Cell.baseline(cell.userland, cell.scenario, kernel)] = None
            if not cell.is_baseline:
                found[Cell(cell.userland, cell.mode, cell.scenario, kernel, kernel)] = None
        found[cell] = None
    return sorted(found, key=lambda cell: (not cell.is_baseline, not cell.is_diagonal))


def prerequisites(task: Task) -> tuple[Task, ...]:
    """What must have ended before a task can begin."""
    if task.kind is Kind.BASELINE:
        return ()
    own = baseline_task(task.userland, task.scenario, task.destination)
    if task.kind is Kind.DUMP:
        return (own,)
    return tuple(
        dict.fromkeys((baseline_task(task.userland, task.scenario, task.source), own, dump_task(task.cell)))
    )
