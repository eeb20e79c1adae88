"""The nouns of the matrix: a cell, its outcome, the phase in which it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ARROW = "→"
BASELINE = "baseline"


class Outcome(StrEnum):
    """What happened. What it means is a verdict, and another module's business."""

    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"
    ERROR = "error"
    FLAKY = "flaky"

    @property
    def rank(self) -> int:
        """How bad it is; the worst outcome of a square is the one with the highest rank."""
        return _RANK[self]


_RANK = {Outcome.PASS: 0, Outcome.SKIP: 1, Outcome.FLAKY: 2, Outcome.ERROR: 3, Outcome.FAIL: 4}


class Reason(StrEnum):
    """What kind of thing ended an attempt that did not pass."""

    CRIU = "criu"
    """CRIU reported an error."""
    CHECK = "check"
    """A check of the scenario failed."""
    KERNEL = "kernel"
    """A kernel panicked, oopsed, hung, or complained of itself."""
    DEADLINE = "deadline"
    """CRIU or a check did not come to an end."""
    NEED = "need"
    """Something that the workload needs is not there."""
    REFUSAL = "refusal"
    """CRIU does not save such a state and says so, as the scenario expects."""
    DIAGONAL = "diagonal"
    """A trait that is lost or refused without a move: nothing is asked of one."""
    BASELINE = "baseline"
    """The workload does not run under one of the kernels even without CRIU."""
    LAB = "lab"
    """The lab broke."""


class Phase(StrEnum):
    """The steps of a cell's life, in order. `phase` in the ledger names the one in which the cell ended."""

    BOOT = "boot"
    START = "start"
    BASELINE = "baseline"
    DUMP = "dump"
    TRANSFER = "transfer"
    RESTORE = "restore"
    CHECK = "check"


class Isolation(StrEnum):
    """How pristine the kernel is in which a cell runs."""

    RESET = "reset"
    """The guest is reset to its snapshot before every cell."""
    BOOT = "boot"
    """A new QEMU and a cold boot for every cell."""
    SHARED = "shared"
    """Many cells in one guest, one after another."""


class Confirm(StrEnum):
    """When a failure is tried again in a guest booted for it alone."""

    CELL = "cell"
    """Every time: no red cell is believed without a fresh boot of its own."""
    CAUSE = "cause"
    """Once for each signature and kernel; further cells of that signature are tried again in a reset guest."""
    NONE = "none"
    """Never, nothing is tried twice: for those who repeat the whole run and compare."""


@dataclass(frozen=True, order=True)
class Cell:
    """One question: does `scenario`, checkpointed on `source`, come back whole on `destination`?

    A baseline (no CRIU at all) has `mode == "baseline"` and `destination == source`.
    """

    userland: str
    mode: str
    scenario: str
    source: str
    destination: str

    @classmethod
    def baseline(cls, userland: str, scenario: str, kernel: str) -> Cell:
        """The control without a migration."""
        return cls(userland, BASELINE, scenario, kernel, kernel)

    @property
    def is_baseline(self) -> bool:
        """Whether this is the control without a migration."""
        return self.mode == BASELINE

    @property
    def is_diagonal(self) -> bool:
        """Whether this is the control with a migration onto the same kernel."""
        return not self.is_baseline and self.source == self.destination

    def __str__(self) -> str:
        """The cell's name in the ledger and on the command line."""
        head = f"{self.userland}/{self.mode}/{self.scenario}/{self.source}"
        return head if self.is_baseline else f"{head}{ARROW}{self.destination}"

    @classmethod
    def parse(cls, name: str) -> Cell:
        """Read a cell's name; `->` may stand for the arrow. Raises ValueError."""
        parts = name.replace("->", ARROW).split("/")
        if len(parts) != 4 or not all(parts):
            raise ValueError(f"{name!r} is not USERLAND/MODE/SCENARIO/SOURCE{ARROW}DESTINATION")
        userland, mode, scenario, kernels = parts
        source, arrow, destination = kernels.partition(ARROW)
        if mode == BASELINE and not arrow:
            return cls.baseline(userland, scenario, source)
        if mode == BASELINE or not source or not destination:
            raise ValueError(f"{name!r}: a baseline names one kernel, every other cell two")
        return cls(userland, mode, scenario, source, destination)
