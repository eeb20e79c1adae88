"""What a cell's verdict is in other people's words: the one table that JUnit, KTAP, KCIDB and comparisons share.

Only a cell that was asked and answered counts as passed or failed. What the lab broke, what could not be asked, what
failed once and passed once and what no control explains is inconclusive everywhere: never a failure of a kernel, and
never a success.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.matrix.cell import Outcome
from harness.verdict.verdict import Verdict


class Group(StrEnum):
    """Whether a cell has an answer, and which."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Status(StrEnum):
    """What other formats can tell of a cell."""

    PASS = "pass"
    FAIL = "fail"
    """It failed twice, and the controls or what is known say why."""
    UNDETERMINED = "undetermined"
    """It failed twice, and a control that would tell why is missing."""
    LAB = "lab error"
    FLAKY = "flaky"
    SKIP = "skip"

    @property
    def terms(self) -> Terms:
        """The words that other formats have for it."""
        return _TERMS[self]

    @property
    def group(self) -> Group:
        """Whether it is an answer, and which."""
        return self.terms.group


@dataclass(frozen=True)
class Terms:
    """A status in the words of other formats; `docs/formats.md` has the table and its sources."""

    group: Group
    kcidb: str
    """KCIDB 5: `PASS` and `FAIL` speak of the tested code; `ERROR`, `MISS`, `DONE` and `SKIP` do not."""
    junit: str | None
    """The element inside `testcase`; None if it passed."""
    ktap: str | None
    """KTAP's directive; None for a plain result."""
    ok: bool
    """Whether the KTAP line begins with `ok`."""


_TERMS: Mapping[Status, Terms] = {
    Status.PASS: Terms(Group.PASS, "PASS", None, None, ok=True),
    Status.FAIL: Terms(Group.FAIL, "FAIL", "failure", None, ok=False),
    Status.UNDETERMINED: Terms(Group.INCONCLUSIVE, "ERROR", "error", "ERROR", ok=False),
    Status.LAB: Terms(Group.INCONCLUSIVE, "MISS", "error", "ERROR", ok=False),
    Status.FLAKY: Terms(Group.INCONCLUSIVE, "DONE", "skipped", "SKIP", ok=True),
    Status.SKIP: Terms(Group.INCONCLUSIVE, "SKIP", "skipped", "SKIP", ok=True),
}
_BY_VERDICT: Mapping[str, Status] = {
    **dict.fromkeys(Verdict, Status.FAIL),
    Verdict.COMPATIBLE: Status.PASS,
    Verdict.UNDETERMINED: Status.UNDETERMINED,
    Verdict.LAB_ERROR: Status.LAB,
    Verdict.FLAKY: Status.FLAKY,
    Verdict.WORKLOAD_NEEDS: Status.SKIP,
}


def status_of(verdict: str, outcome: str) -> Status:
    """The status of a cell. A baseline that fails is an answer, although its verdict is `workload needs`.

    Raises KeyError if there is no such verdict.
    """
    found = _BY_VERDICT[verdict]
    return Status.FAIL if found is Status.SKIP and outcome == Outcome.FAIL else found
