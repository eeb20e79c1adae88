"""How often a cell changed its mind: what tells a flake from a breakage that stays.

After TestGrid's flip analysis: lab errors are left out first, then three and more failures in a row, which are no
flake but a breakage, and what then still changes between good and bad is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise

from harness.history.past import Strip
from harness.report.status import Group, Status

IN_A_ROW = 3
"""So many failures one after another are a breakage."""
SUSPICIOUS = 2
"""One flip is a regression or a fix; two are a flake."""


@dataclass(frozen=True)
class Flips:
    """What a strip says of a cell's steadiness."""

    flips: int
    """Changes between good and bad from one run to the next, where the two are not known to be unlike."""
    flaky: int
    """Runs in which it failed and passed at once."""
    runs: int
    """Runs that gave an answer, or two: neither missing nor a lab error nor otherwise inconclusive."""

    @property
    def score(self) -> float:
        """Flips and flaky runs by the runs that gave an answer, 0 to 1."""
        return min(1.0, (self.flips + self.flaky) / self.runs) if self.runs else 0.0

    @property
    def is_suspicious(self) -> bool:
        """Whether it looks like a flake rather than like a change that stays."""
        return self.flips + self.flaky >= SUSPICIOUS


def count(strip: Strip) -> Flips:
    """The flips of one cell. A change that came with another scope (another CRIU, say) is no flip."""
    said = [
        (era, status) for era, status in zip(strip.eras, strip.statuses, strict=True) if status is not None
    ]
    flaky = sum(status is Status.FLAKY for _, status in said)
    answers = [(era, status.group) for era, status in said if status.group is not Group.INCONCLUSIVE]
    kept: list[tuple[int, Group]] = []
    for group, members in groupby(answers, key=lambda answer: answer[1]):
        found = list(members)
        if group is Group.PASS or len(found) < IN_A_ROW:
            kept += found
    flips = sum(group != after and era == later for (era, group), (later, after) in pairwise(kept))
    return Flips(flips, flaky, len(answers) + flaky)
