"""How often a cell changed its mind: what tells a flake from a breakage that stays.

After TestGrid's flip analysis: lab errors are left out first, then three and more failures in a row, which are no
flake but a breakage, and what then still changes between good and bad is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise

from harness.history.past import BROKEN, Strip
from harness.verdict.verdict import Verdict

IN_A_ROW = 3
"""So many failures one after another are a breakage."""
SUSPICIOUS = 2
"""One flip is a regression or a fix; two are a flake."""


@dataclass(frozen=True)
class Flips:
    """What a strip says of a cell's steadiness."""

    flips: int
    """Changes between good and bad from one run to the next of the same scope."""
    flaky: int
    """Runs in which it failed and passed at once."""
    runs: int
    """Runs that said something: neither missing nor a lab error nor a workload without its needs."""

    @property
    def score(self) -> float:
        """Flips and flaky runs by the runs that said something, 0 to 1."""
        return min(1.0, (self.flips + self.flaky) / self.runs) if self.runs else 0.0

    @property
    def is_suspicious(self) -> bool:
        """Whether it looks like a flake rather than like a change that stays."""
        return self.flips + self.flaky >= SUSPICIOUS


def count(strip: Strip) -> Flips:
    """The flips of one cell. A change that came with another scope (another CRIU, say) is no flip."""
    said = [(run.scope, v) for run, v in zip(strip.runs, strip.verdicts, strict=True) if v is not None]
    flaky = sum(verdict is Verdict.FLAKY for _, verdict in said)
    steady = [(scope, v in BROKEN) for scope, v in said if v is Verdict.COMPATIBLE or v in BROKEN]
    kept: list[tuple[str | None, bool]] = []
    for bad, group in groupby(steady, key=lambda one: one[1]):
        members = list(group)
        if not bad or len(members) < IN_A_ROW:
            kept += members
    flips = sum(a[1] != b[1] and a[0] == b[0] for a, b in pairwise(kept))
    return Flips(flips, flaky, len(steady) + flaky)
