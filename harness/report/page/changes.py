"""What changed since the other run, as the page shows it: by class, in each class by cause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.matrix.cell import Cell
from harness.report.compare import Change, ChangeKind, Comparison
from harness.report.page.cause import PageCause, moves

LOST = "lost"
"""In the column of changes, behind the classes: an answer that there was and is not any more."""
KINDS = [*(str(kind) for kind in ChangeKind), LOST]
MEANINGS: Mapping[ChangeKind, str] = {
    ChangeKind.REGRESSION: "passed before, fails now",
    ChangeKind.NEW_FAILURE: "fails now, had no answer before",
    ChangeKind.STILL_FAILING: "fails in both",
    ChangeKind.FIXED: "failed before, passes now",
    ChangeKind.NEW_PASS: "passes now, had no answer before",
    ChangeKind.APPEARED: "only in this run",
    ChangeKind.DISAPPEARED: "only in the other run; nobody asked again",
}


@dataclass(frozen=True)
class Group:
    """Cells that changed alike, for one cause. Untrusted texts."""

    signature: str
    cause: str | None
    """The cause's short name, if it is one of this run's."""
    count: int
    other_cause: int
    """How many of them failed for another reason before."""
    moves: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Section:
    """One class of changes."""

    kind: ChangeKind
    means: str
    count: int
    groups: tuple[Group, ...]

    @property
    def urgent(self) -> bool:
        """Whether somebody should look at once."""
        return self.kind in (ChangeKind.REGRESSION, ChangeKind.NEW_FAILURE)


def sections(comparison: Comparison, causes: Iterable[PageCause]) -> list[Section]:
    """The classes that have any cell, most urgent first."""
    ids = {cause.cause.signature: cause.id for cause in reversed(list(causes))}
    return [
        Section(
            kind,
            MEANINGS[kind],
            len(found),
            tuple(
                _group(signature, changes, ids) for signature, changes in comparison.by_cause(kind).items()
            ),
        )
        for kind in ChangeKind
        if (found := comparison.of_kind(kind))
    ]


def column(comparison: Comparison | None, cells: Sequence[Cell]) -> list[int]:
    """For each cell the place of its class in `KINDS`, from 1 on; 0 if nothing changed or nothing is compared."""
    if comparison is None:
        return [0] * len(cells)
    places = {change.cell: KINDS.index(change.kind) + 1 for change in comparison.changes}
    places |= {lost.cell: KINDS.index(LOST) + 1 for lost in comparison.lost}
    return [places.get(cell, 0) for cell in cells]


def _group(signature: str, changes: Sequence[Change], ids: Mapping[str, str]) -> Group:
    return Group(
        signature=signature,
        cause=ids.get(signature) if any(change.after_signature == signature for change in changes) else None,
        count=len(changes),
        other_cause=sum(change.other_cause for change in changes),
        moves=tuple(moves(change.cell for change in changes)),
    )
