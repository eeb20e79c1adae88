"""What a cell's outcome means, once its controls are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.matrix.cell import Cell
from harness.verdict.known import Blame
from harness.verdict.order import Direction


class Verdict(StrEnum):
    """What became of the question, worst first."""

    STATE_CHANGED = "state changed"
    """Restored, and a check failed: the worst kind, because nobody would have noticed."""
    KERNEL_CRASH = "kernel crash"
    """A kernel died, hung, or complained of itself while CRIU was at work."""
    CROSS_KERNEL_BREAKAGE = "cross-kernel breakage"
    """Both diagonals pass, the move to the newer kernel fails: a compatibility breakage, to be reported."""
    DESTINATION_BROKEN = "destination broken"
    """The destination's own diagonal fails too: CRIU does not work there."""
    SOURCE_BROKEN = "source broken"
    """The source's own diagonal fails too, or nothing can be dumped there."""
    BACKWARD_ONLY = "backward-only"
    """Both diagonals pass, the move to the older kernel fails: the newer one's state does not exist there."""
    UNDETERMINED = "undetermined"
    """A control is missing; `Judgement.settle` says which run would tell."""
    LAB_ERROR = "lab error"
    """The lab broke; nothing is said about a kernel or CRIU."""
    FLAKY = "flaky"
    """Failed once and passed once."""
    WORKLOAD_NEEDS = "workload needs"
    """The question could not be asked: something that the workload needs is not there."""
    COMPATIBLE = "compatible"

    @property
    def rank(self) -> int:
        """How far up it belongs: 0 is the best, the highest is the worst."""
        return _RANK[self]


_RANK = {verdict: len(Verdict) - 1 - place for place, verdict in enumerate(Verdict)}


@dataclass(frozen=True)
class Judgement:
    """A cell's verdict, and the sentence why."""

    cell: Cell
    verdict: Verdict
    why: str
    """One sentence. Quotes the guest nowhere."""
    direction: Direction
    blame: Blame | None = None
    """None for what is in order; `Blame.UNKNOWN` where the controls leave kernel and CRIU under suspicion alike."""
    known: str | None = None
    """Name of the entry in `known.yaml` that it is."""
    looks_like: tuple[str, ...] = ()
    """Entries whose words it has, in versions for which they are not known."""
    interface: str | None = None
    remedy: str | None = None
    remedied: str | None = None
    """What came of the remedy when it was tried on this cell: `helped`, or that it did not and how it ended."""
    settle: str | None = None
    """For an undetermined cell: the command that would tell."""
