"""The surfaces of a run's kernels in the least that tells every pair's difference, to be embedded in a page.

Kernels differ in few interfaces, and an interface has few distinct findings; what happened to it depends on the two
findings and on which is the older one's. So not the pairs are kept but the transitions, and a pair is looked up:
linear in the kernels where pairs would be quadratic.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.report.sanitize import visible
from harness.surface.catalogue import load
from harness.surface.diff import BACK, Change, Kind, change
from harness.surface.predict import predictions
from harness.surface.record import Record
from harness.verdict.known import Breakage

BUDGET = 150_000
"""Bytes of JSON that the tables of one page may take."""
_FINDING = 120
_ITEM = 80
_ITEMS = 12
"""Items of a list that are named as gained or lost."""
NOT_ASKED = -1
"""In place of a finding's number: that kernel's probe does not know the interface."""


@dataclass(frozen=True)
class Transition:
    """What it means that an interface's finding is one thing on an older kernel and another on a newer one."""

    older: int
    newer: int
    """Numbers of findings."""
    kind: Kind
    breaking: bool
    """Whether it may break what relied on the older kernel, whichever way a move goes."""
    gained: tuple[str, ...] = ()
    """Items that only the newer one's list has; the last one may say how many more there are."""
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class Interface:
    """An interface that not all the kernels have alike."""

    id: str
    what: str
    known: tuple[str, ...]
    """Entries of `known.yaml` that are about it."""
    findings: tuple[str, ...]
    """The distinct ones, in words."""
    found: tuple[int, ...]
    """By kernel: the number of its finding, or `NOT_ASKED`."""
    transitions: tuple[Transition, ...]


@dataclass(frozen=True)
class Feature:
    """What one userland's `criu check --feature` says, where the kernels differ in it."""

    userland: str
    name: str
    found: tuple[bool | None, ...]
    """By kernel; None where it was not asked."""


@dataclass(frozen=True)
class Foretold:
    """A known breakage that kernels' surfaces foretell for one reason, before any migration."""

    breakage: str
    userland: str
    because: tuple[str, ...]
    """The findings on which it rests, in words."""
    moves: tuple[tuple[int, int], ...]
    """Sources and destinations that it is foretold for, as numbers of kernels."""


@dataclass(frozen=True)
class Told:
    """One interface between two kernels, as `SurfaceTables.between` finds it."""

    id: str
    what: str
    kind: Kind
    before: str
    after: str
    breaking: bool
    known: tuple[str, ...]
    gained: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True)
class SurfaceTables:
    """All of it. Its texts went through `visible` and still want their format's escaping."""

    kernels: tuple[str, ...] = ()
    """Labels of those whose surface is known, in the matrix's order; the others have no difference to show."""
    ranks: tuple[int, ...] = ()
    """Their places in history: a move to a lower rank is one backward, and equal ranks are sideways."""
    alike: tuple[int, ...] = ()
    """Kernels with one number were probed by one probe on one processor; others do not quite compare."""
    interfaces: tuple[Interface, ...] = ()
    features: tuple[Feature, ...] = ()
    foretold: tuple[Foretold, ...] = ()
    left_out: tuple[str, ...] = ()
    """What did not fit into the budget, in words."""

    def between(self, before: str, after: str) -> tuple[Told, ...]:
        """What differs from one kernel to another. Raises `ValueError` for a label whose surface is not known."""
        first, second = self.kernels.index(before), self.kernels.index(after)
        backward = self.ranks[second] < self.ranks[first]
        told = []
        for interface in self.interfaces:
            old, new = interface.found[first], interface.found[second]
            if old == new or NOT_ASKED in (old, new):
                continue
            older, newer = (new, old) if backward else (old, new)
            step = next(t for t in interface.transitions if (t.older, t.newer) == (older, newer))
            told.append(_told(interface, step, backward=backward))
        return tuple(told)

    def as_json(self) -> dict[str, Any]:
        """Lists instead of records where there are many; the page's script reads it as the fields are documented.

        `interfaces`: `[id, what, known, findings, found, transitions]` with `transitions`
        `[older, newer, kind, breaking as 0 or 1, gained, lost]`; `features`: `[userland, name, found as a text of 1, 0
        and -]`; `foretold`: `[breakage, userland, because, moves]` with `moves` `source, destination, source, ...`.
        """
        return {
            "kernels": list(self.kernels),
            "ranks": list(self.ranks),
            "alike": list(self.alike),
            "interfaces": [
                [
                    one.id,
                    one.what,
                    list(one.known),
                    list(one.findings),
                    list(one.found),
                    [
                        [t.older, t.newer, str(t.kind), int(t.breaking), list(t.gained), list(t.lost)]
                        for t in one.transitions
                    ],
                ]
                for one in self.interfaces
            ],
            "features": [
                [one.userland, one.name, "".join("-" if f is None else str(int(f)) for f in one.found)]
                for one in self.features
            ],
            "foretold": [
                [f.breakage, f.userland, list(f.because), list(itertools.chain(*f.moves))]
                for f in self.foretold
            ],
            "left_out": list(self.left_out),
        }


def size(tables: SurfaceTables) -> int:
    """Bytes that they take in a page."""
    return len(
        json.dumps(tables.as_json(), separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    )


def tables(records: Sequence[Record], entries: Iterable[Breakage], budget: int = BUDGET) -> SurfaceTables:
    """The tables of these kernels, in their order; what does not fit into `budget` bytes is left out and named."""
    listed = list(entries)
    made = SurfaceTables(
        kernels=tuple(record.kernel.label for record in records),
        ranks=_ranks(records),
        alike=_alike(records),
        interfaces=_interfaces(records, listed),
        features=_features(records),
        foretold=_foretold(records, listed),
    )
    return _cut(made, budget)


def _told(interface: Interface, step: Transition, *, backward: bool) -> Told:
    before, after = (interface.findings[number] for number in (step.older, step.newer))
    kind, gained, lost = step.kind, step.gained, step.lost
    if backward:
        before, after, gained, lost, kind = after, before, lost, gained, BACK.get(kind, kind)
    return Told(
        interface.id, interface.what, kind, before, after, step.breaking, interface.known, gained, lost
    )


def _ranks(records: Sequence[Record]) -> tuple[int, ...]:
    keys = [record.kernel.place.key for record in records]
    order = sorted(set(keys))
    return tuple(order.index(key) for key in keys)


def _alike(records: Sequence[Record]) -> tuple[int, ...]:
    made = [(record.probe, record.cpu, record.accelerator, record.kernel_arguments) for record in records]
    kinds = list(dict.fromkeys(made))
    return tuple(kinds.index(one) for one in made)


def _interfaces(records: Sequence[Record], entries: Iterable[Breakage]) -> tuple[Interface, ...]:
    listed, catalogue, ranks = list(entries), load(), _ranks(records)
    made = []
    for id in dict.fromkeys(id for record in records for id in record.findings):
        here = [record.findings.get(id) for record in records]
        distinct = list(dict.fromkeys(finding for finding in here if finding is not None))
        if len(distinct) < 2:
            continue
        number = {finding: place for place, finding in enumerate(distinct)}
        found = tuple(NOT_ASKED if finding is None else number[finding] for finding in here)
        made.append(
            Interface(
                id=visible(id),
                what=visible(catalogue[id].what),
                known=tuple(entry.id for entry in listed if id in entry.surface),
                findings=tuple(visible(str(finding), _FINDING) for finding in distinct),
                found=found,
                transitions=tuple(
                    _transition(change(catalogue[id], distinct[older], distinct[newer]), older, newer)
                    for older, newer in _steps(found, ranks)
                ),
            )
        )
    return tuple(made)


def _steps(found: Sequence[int], ranks: Sequence[int]) -> list[tuple[int, int]]:
    """The pairs of findings that an older and a newer kernel have; of two sideways each may be the first."""
    placed = [(rank, number) for rank, number in zip(ranks, found, strict=True) if number != NOT_ASKED]
    steps = {(a, b): None for older, a in placed for newer, b in placed if a != b and older <= newer}
    return list(steps)


def _transition(change: Change, older: int, newer: int) -> Transition:
    lists = change.kind in (Kind.CHANGED, Kind.GREW)
    gained, lost = (change.gained, change.lost) if lists else ((), ())
    return Transition(older, newer, change.kind, change.breaking, _some(gained), _some(lost))


def _some(items: Sequence[str]) -> tuple[str, ...]:
    more = (f"{len(items) - _ITEMS} more",) if len(items) > _ITEMS else ()
    return (*(visible(item, _ITEM) for item in items[:_ITEMS]), *more)


def _features(records: Sequence[Record]) -> tuple[Feature, ...]:
    names = dict.fromkeys(
        (userland, name)
        for record in records
        for userland, criu in record.criu.items()
        for name in criu.features
    )
    rows = []
    for userland, name in names:
        found = tuple(_feature(record.criu, userland, name) for record in records)
        if len(set(found) - {None}) > 1:
            rows.append(Feature(visible(userland), visible(name), found))
    return tuple(rows)


def _feature(criu: Mapping[str, Any], userland: str, name: str) -> bool | None:
    found: bool | None = criu[userland].features.get(name) if userland in criu else None
    return found


def _foretold(records: Sequence[Record], entries: list[Breakage]) -> tuple[Foretold, ...]:
    moves: dict[tuple[str, str, tuple[str, ...]], list[tuple[int, int]]] = {}
    for here, source in enumerate(records):
        for there, destination in enumerate(records):
            for one in predictions(source, destination, entries):
                key = (one.breakage.id, one.userland, one.because)
                moves.setdefault(key, []).append((here, there))
    return tuple(
        Foretold(breakage, visible(userland), tuple(visible(why, 200) for why in because), tuple(pairs))
        for (breakage, userland, because), pairs in moves.items()
    )


def _cut(made: SurfaceTables, budget: int) -> SurfaceTables:
    """Items of lists go first, then reasons, then what is foretold, then what breaks nobody."""
    steps = (
        ("the items of lists that differ", _without_items),
        (
            "why breakages are foretold",
            lambda t: replace(t, foretold=tuple(replace(f, because=()) for f in t.foretold)),
        ),
        ("which breakages are foretold", lambda t: replace(t, foretold=())),
        ("interfaces without a possible breakage", _breaking_only),
        ("the differences themselves", lambda t: replace(t, interfaces=(), features=())),
    )
    for words, step in steps:
        if size(made) <= budget:
            break
        made = replace(step(made), left_out=(*made.left_out, words))
    return made


def _without_items(made: SurfaceTables) -> SurfaceTables:
    return replace(
        made,
        interfaces=tuple(
            replace(one, transitions=tuple(replace(t, gained=(), lost=()) for t in one.transitions))
            for one in made.interfaces
        ),
    )


def _breaking_only(made: SurfaceTables) -> SurfaceTables:
    kept = (one for one in made.interfaces if any(t.breaking for t in one.transitions))
    return replace(made, interfaces=tuple(kept))
