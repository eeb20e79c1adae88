"""Two runs side by side: what changed from the one before to this one, and whether they can be compared at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from harness.matrix.cell import Cell
from harness.matrix.ledger import KernelIdentity
from harness.report.rundir import Run
from harness.report.scope import DIGEST
from harness.report.scope import Scope as Scope
from harness.report.status import Group, Status, status_of
from harness.verdict.verdict import Verdict


class ChangeKind(StrEnum):
    """What became of a cell between two runs, most urgent first. Cells are joined by all five parts of their name.

    `Group` says what counts as passed, failed or inconclusive. A cell whose answer was lost (it passed or failed
    before and is inconclusive now) is none of these: it is in `Comparison.lost`.
    """

    REGRESSION = "regression"
    """Passed before, fails now."""
    NEW_FAILURE = "new failure"
    """Fails now, and was inconclusive before or not there at all."""
    STILL_FAILING = "still failing"
    """Fails in both; `Change.other_cause` says whether for another reason."""
    FIXED = "fixed"
    """Failed before, passes now."""
    NEW_PASS = "new pass"
    """Passes now, and was inconclusive before."""
    APPEARED = "appeared"
    """Only in this run, and does not fail; one that fails is a new failure."""
    DISAPPEARED = "disappeared"
    """Only in the run before: nobody asked again, so a failure among them is not fixed."""


@dataclass(frozen=True)
class Change:
    """One cell that changed, or still fails."""

    cell: Cell
    kind: ChangeKind
    before: Verdict | None
    """None if the run before did not have the cell."""
    after: Verdict | None
    """None if this run does not have it."""
    before_signature: str | None
    """Untrusted text, as `after_signature` is; None if there is no error."""
    after_signature: str | None

    @property
    def other_cause(self) -> bool:
        """Whether a cell that still fails fails for another reason than before."""
        return self.kind is ChangeKind.STILL_FAILING and self.before_signature != self.after_signature

    @property
    def signature(self) -> str | None:
        """What the change is about: the error of today, or of before if there is none today."""
        return self.after_signature or self.before_signature


@dataclass(frozen=True)
class Lost:
    """A cell that had an answer before and has none now."""

    cell: Cell
    before: Verdict
    after: Verdict
    passed: bool
    """Whether the answer was that it passes."""


@dataclass(frozen=True)
class Comparison:
    """What changed since another run, and what makes the comparison unfair."""

    before: str
    """The other run's id."""
    scope: Scope
    """Of this run."""
    before_scope: Scope
    differences: tuple[str, ...]
    """What besides the kernels is another, in words. Untrusted text."""
    unknown: tuple[str, ...]
    """What cannot be compared because a run did not write it down, in words. Untrusted text."""
    kernels_changed: tuple[str, ...]
    """Labels that stand for another kernel now, in words: not unfair, but what the comparison is about."""
    changes: tuple[Change, ...]
    """By kind, then in the order of the report's cells."""
    lost: tuple[Lost, ...]
    """Cells that had an answer and have none now."""

    @property
    def fair(self) -> bool:
        """Whether nothing but the kernels is known to differ, and nothing is unknown."""
        return not self.differences and not self.unknown

    def of_kind(self, *kinds: ChangeKind) -> tuple[Change, ...]:
        """The changes of these kinds."""
        return tuple(change for change in self.changes if change.kind in kinds)

    def by_cause(self, *kinds: ChangeKind) -> dict[str, tuple[Change, ...]]:
        """Changes of these kinds, or all, by signature; what hit most cells comes first, "" is without an error."""
        return self.causes_of(self.of_kind(*(kinds or tuple(ChangeKind))))

    @staticmethod
    def causes_of(changes: Iterable[Change]) -> dict[str, tuple[Change, ...]]:
        """The same for any changes."""
        groups: dict[str, list[Change]] = {}
        for change in changes:
            groups.setdefault(change.signature or "", []).append(change)
        found = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
        return {signature: tuple(members) for signature, members in found}


def compare(before: Run, before_cells: pd.DataFrame, after: Run, after_cells: pd.DataFrame) -> Comparison:
    """What changed from `before` to `after`; the frames are those of `harness.report.frames.cell_states`."""
    old, new = _states(before_cells), _states(after_cells)
    changes: list[Change] = []
    lost: list[Lost] = []
    for key in dict.fromkeys((*new, *old)):
        was, now = old.get(key, _ABSENT), new.get(key, _ABSENT)
        kind = _kind(was.group, now.group)
        if kind is not None:
            changes.append(
                Change(
                    cell=Cell(*key),
                    kind=kind,
                    before=was.verdict,
                    after=now.verdict,
                    before_signature=was.signature,
                    after_signature=now.signature,
                )
            )
        elif was.verdict and now.verdict and was.group is not now.group:
            lost.append(Lost(Cell(*key), was.verdict, now.verdict, was.group is Group.PASS))
    place = {kind: number for number, kind in enumerate(ChangeKind)}
    mine, theirs = Scope.of(after), Scope.of(before)
    return Comparison(
        before=before.name,
        scope=mine,
        before_scope=theirs,
        differences=theirs.differences(mine),
        unknown=theirs.unknown(mine),
        kernels_changed=_kernels_changed(before, after),
        changes=tuple(sorted(changes, key=lambda change: place[change.kind])),
        lost=tuple(lost),
    )


def headline(run: Run, cells: pd.DataFrame, comparison: Comparison | None = None) -> str:
    """The state of a run in one sentence without a full stop; it hides nothing that has no answer. Untrusted text."""
    parts = [] if comparison is None else [_against(comparison)]
    tally = dict.fromkeys(Status, 0)
    for verdict, outcome in zip(cells["verdict"], cells["outcome"], strict=True):
        tally[status_of(verdict, outcome)] += 1
    every = tally[Status.PASS] == run.planned > 0
    parts.append(
        f"all {counted(run.planned, 'cell')} compatible"
        if every
        else f"{tally[Status.PASS]:,} of {counted(run.planned, 'cell')} compatible"
    )
    told = {
        "fail": tally[Status.FAIL],
        "undetermined": tally[Status.UNDETERMINED],
        "flaky": tally[Status.FLAKY],
        "could not be asked": tally[Status.SKIP],
        "have no result": run.planned - len(cells),
    }
    rest = [f"{number:,} {words}" for words, number in told.items() if number]
    if tally[Status.LAB]:
        rest.append(counted(tally[Status.LAB], "lab error"))
    sentence = ", ".join(["; ".join(parts), *rest])
    return sentence if run.facts.get("finished") else f"{sentence}; the run has not finished"


def _against(comparison: Comparison) -> str:
    """The part of the headline that speaks of the other run."""
    new = len(comparison.of_kind(ChangeKind.REGRESSION, ChangeKind.NEW_FAILURE))
    said = [f"{counted(new, 'new breakage') if new else 'no new breakage'} against {comparison.before}"]
    said += [f"{fixed:,} fixed"] if (fixed := len(comparison.of_kind(ChangeKind.FIXED))) else []
    other = sum(change.other_cause for change in comparison.changes)
    said += [f"{other:,} failing for another reason"] if other else []
    passed = sum(one.passed for one in comparison.lost)
    said += [f"{passed:,} that passed have no answer"] if passed else []
    gone = len(comparison.of_kind(ChangeKind.DISAPPEARED))
    said += [f"{gone:,} not run again"] if gone else []
    if comparison.differences:
        said.append("in unlike conditions")
    elif comparison.unknown:
        said.append("in conditions not known to be alike")
    return ", ".join(said)


def counted(number: int, noun: str) -> str:
    """A number and its noun, with an s where it needs one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


@dataclass(frozen=True)
class _State:
    group: Group | None = None
    verdict: Verdict | None = None
    signature: str | None = None


_ABSENT = _State()
_Key = tuple[str, str, str, str, str]


def _states(cells: pd.DataFrame) -> dict[_Key, _State]:
    columns = ("userland", "mode", "scenario", "source", "destination", "verdict", "outcome", "signature")
    found: dict[_Key, _State] = {}
    for u, m, s, a, b, verdict, outcome, said in zip(*(cells[name] for name in columns), strict=True):
        signature = said if isinstance(said, str) else None
        found[u, m, s, a, b] = _State(status_of(verdict, outcome).group, Verdict(verdict), signature)
    return found


def _kind(before: Group | None, after: Group | None) -> ChangeKind | None:
    match (before, after):
        case (_, None):
            return ChangeKind.DISAPPEARED
        case (Group.PASS, Group.FAIL):
            return ChangeKind.REGRESSION
        case (Group.FAIL, Group.FAIL):
            return ChangeKind.STILL_FAILING
        case (_, Group.FAIL):
            return ChangeKind.NEW_FAILURE
        case (None, _):
            return ChangeKind.APPEARED
        case (Group.FAIL, Group.PASS):
            return ChangeKind.FIXED
        case (Group.INCONCLUSIVE, Group.PASS):
            return ChangeKind.NEW_PASS
        case _:
            return None


def _kernels_changed(before: Run, after: Run) -> tuple[str, ...]:
    old, new = _kernels(before), _kernels(after)
    return tuple(
        f"{label} was {_identity(old[label])} and is {_identity(new[label])}"
        for label in after.kernels
        if label in old and label in new and old[label].sha256 != new[label].sha256
    )


def _kernels(run: Run) -> dict[str, KernelIdentity]:
    """Which kernel a label stood for: the ledger's own words, since that is what the cells ran on."""
    found: dict[str, KernelIdentity] = {}
    for attempt in run.final.values():
        found.setdefault(attempt.cell.source, attempt.kernels["source"])
        found.setdefault(attempt.cell.destination, attempt.kernels["destination"])
    return found


def _identity(kernel: KernelIdentity) -> str:
    version = f" ({kernel.version})" if kernel.version else ""
    return f"{kernel.release}{version} sha256 {kernel.sha256[:DIGEST]}"
