"""What differs between two kernels' surfaces, and whether that may break who relied on the older one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from harness.surface.catalogue import Catalogue, Entry, load
from harness.surface.record import Finding, Record
from harness.verdict.known import Breakage
from harness.verdict.order import Direction, direction


class Kind(StrEnum):
    """What happened to an interface on the way from one kernel to the other."""

    VANISHED = "vanished"
    CHANGED = "changed"
    APPEARED = "appeared"
    GREW = "grew"
    """A list has more items and all that it had in the same order, a mask more bits, or a number is larger."""


_BAD_ARGUMENT = {"EFAULT", "EBADF", "EINVAL"}
"""Which of several bad arguments a call looks at first is nobody's interface."""
BACK = {Kind.VANISHED: Kind.APPEARED, Kind.APPEARED: Kind.VANISHED}
"""What a change is called the other way round, where that has another name."""


@dataclass(frozen=True)
class Change:
    """One interface that differs."""

    entry: Entry
    kind: Kind
    """From the first kernel to the second."""
    before: Finding
    after: Finding
    breaking: bool
    """Whether the newer of the two kernels may break what relied on the older one."""

    def reversed(self) -> Change:
        """The same from the newer kernel to the older one: what it may break stays."""
        return replace(self, kind=BACK.get(self.kind, self.kind), before=self.after, after=self.before)

    @property
    def gained(self) -> tuple[str, ...]:
        """Items of a list that only the second has."""
        return _without(self.after, self.before)

    @property
    def lost(self) -> tuple[str, ...]:
        """Items of a list that only the first has."""
        return _without(self.before, self.after)


@dataclass(frozen=True)
class Difference:
    """All that differs."""

    before: Record
    after: Record
    direction: Direction
    changes: tuple[Change, ...]
    features: Mapping[str, tuple[tuple[str, bool, bool], ...]]
    """By userland: features that its CRIU finds in one of the kernels only, with what it says of each."""

    @property
    def comparable(self) -> bool:
        """Whether both were found by the same probe on the same processor."""
        a, b = self.before, self.after
        return (a.probe, a.cpu, a.accelerator, a.kernel_arguments) == (
            b.probe,
            b.cpu,
            b.accelerator,
            b.kernel_arguments,
        )


def compare(before: Record, after: Record, catalogue: Catalogue | None = None) -> Difference:
    """What differs from one kernel to another, in the catalogue's order. What only one probe asks is left out."""
    catalogue = catalogue or load()
    same = before.kernel.sha256 == after.kernel.sha256
    way = direction(before.kernel.place, after.kernel.place, same=same)
    backward = way is Direction.BACKWARD
    changes = []
    for id, first in before.findings.items():
        second = after.findings.get(id)
        if second is None or second == first:
            continue
        older, newer = (second, first) if backward else (first, second)
        step = change(catalogue[id], older, newer)
        changes.append(step.reversed() if backward else step)
    shared = [name for name in before.criu if name in after.criu]
    return Difference(
        before,
        after,
        way,
        tuple(changes),
        {name: found for name in shared if (found := _features(before, after, name))},
    )


def change(entry: Entry, older: Finding, newer: Finding) -> Change:
    """What it means that an interface's finding is one thing on an older kernel and another on a newer one."""
    kind = _kind(entry, older, newer)
    return Change(entry, kind, older, newer, _is_breaking(entry, kind, older, newer))


def _kind(entry: Entry, older: Finding, newer: Finding) -> Kind:
    had, has = entry.present(older.result), entry.present(newer.result)
    if had != has:
        return Kind.VANISHED if had else Kind.APPEARED
    if older.result == newer.result and _is_grown(older, newer):
        return Kind.GREW
    return Kind.CHANGED


def _is_grown(older: Finding, newer: Finding) -> bool:
    had, has = older.value, newer.value
    if isinstance(had, tuple) and isinstance(has, tuple):
        return [item for item in has if item in set(had)] == list(had)
    if isinstance(had, int) and isinstance(has, int):
        return has > had
    if isinstance(had, str) and isinstance(has, str) and had.startswith("0x") and has.startswith("0x"):
        return int(had, 16) & ~int(has, 16) == 0
    return False


def _is_breaking(entry: Entry, kind: Kind, older: Finding, newer: Finding) -> bool:
    """Whether who relied on the older kernel may be broken by the newer one."""
    if kind is Kind.GREW:
        return entry.grows == "breaking"
    if kind is Kind.CHANGED:
        refused = {older.result, newer.result} <= _BAD_ARGUMENT
        return entry.present(older.result) and not refused
    return kind is Kind.VANISHED


def _without(one: Finding, other: Finding) -> tuple[str, ...]:
    if not isinstance(one.value, tuple):
        return ()
    known = set(other.value) if isinstance(other.value, tuple) else set()
    return tuple(item for item in one.value if item not in known)


def _features(before: Record, after: Record, userland: str) -> tuple[tuple[str, bool, bool], ...]:
    first, second = before.criu[userland].features, after.criu[userland].features
    return tuple(
        (name, found, second[name])
        for name, found in first.items()
        if name in second and second[name] is not found
    )


def explained(change: Change, entries: Iterable[Breakage]) -> list[Breakage]:
    """The known breakages that are about a changed interface."""
    return [entry for entry in entries if change.entry.id in entry.surface]
