"""The last good and the first bad kernel: the cell's own row or column, everything else equal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from harness.matrix.cell import Cell, Outcome, Phase
from harness.matrix.ledger import Attempt, KernelIdentity
from harness.upstream.evidence import Evidence
from harness.verdict.order import KernelVersion


class Axis(StrEnum):
    """What is varied."""

    DESTINATION = "destination"
    """The kernel of the restore; the kernel of the dump stays."""
    SOURCE = "source"
    """The kernel of the dump; the kernel of the restore stays, or does not matter yet."""
    KERNEL = "kernel"
    """The one kernel of a control, which is both."""


@dataclass(frozen=True)
class Point:
    """A kernel on the axis, and what became of it."""

    label: str
    identity: KernelIdentity
    attempt: Attempt
    failed: bool | None
    """Whether it fails in the same way; None if it gives no answer, or fails otherwise."""

    @property
    def version(self) -> KernelVersion:
        """Its place in history."""
        return KernelVersion.of(self.identity.release, self.identity.version)

    @property
    def name(self) -> str:
        """The upstream version."""
        return str(self.version)

    @property
    def said(self) -> str:
        """In a word."""
        if self.failed is None:
            return f"no answer ({self.attempt.outcome} in {self.attempt.phase})"
        return "fails" if self.failed else "works"


@dataclass(frozen=True)
class Frontier:
    """The border between good and bad, as narrow as the run's kernels make it."""

    axis: Axis
    points: tuple[Point, ...]
    """Oldest first."""
    good: Point | None
    """The newest one before `bad` that works; None if none does."""
    bad: Point
    """The oldest one from which on all fail, up to the cell's own."""

    @property
    def newest(self) -> Point:
        """The newest kernel that gave an answer."""
        return next(point for point in reversed(self.points) if point.failed is not None)

    @property
    def still_there(self) -> bool:
        """Whether the newest kernel that was tried fails too."""
        return bool(self.newest.failed)

    @property
    def within_a_series(self) -> bool:
        """Whether both ends are releases of one stable series."""
        return self.good is not None and self.good.version.series == self.bad.version.series

    @property
    def one_version(self) -> bool:
        """Whether both ends are builds of one and the same upstream version."""
        return self.good is not None and self.good.version.upstream == self.bad.version.upstream

    @property
    def range(self) -> str | None:
        """GOOD..BAD in git tags, for regzbot; None without a good one, and between two builds of one version.

        Within a series these are the tags of its releases. Between series they are the mainline releases that the
        series began with: a range with tags of a stable tree may be filed under the wrong tree
        (kernelci/regzbot, docs/reference.md).
        """
        if self.good is None or self.one_version:
            return None
        stable = self.within_a_series
        return f"{tag(self.good.version, stable=stable)}..{tag(self.bad.version, stable=stable)}"


def tag(version: KernelVersion, *, stable: bool = True) -> str:
    """The git tag of a version, `v6.12.117` or `v7.3-rc2`; without `stable` the one that its series began with."""
    numbers, _, candidate = str(version).partition("-")
    parts = numbers.split(".")
    if not stable or (len(parts) > 2 and set(parts[2:]) == {"0"}):
        parts = parts[:2]
    return "v" + ".".join(parts) + (f"-{candidate}" if candidate else "")


def find(evidence: Evidence) -> Frontier:
    """The frontier along the axis that has a good kernel; the destination's is asked first."""
    tried = [_along(evidence, axis) for axis in _axes(evidence)]
    return next((frontier for frontier in tried if frontier.good is not None), tried[0])


def _axes(evidence: Evidence) -> tuple[Axis, ...]:
    if evidence.on_the_source and not evidence.cell.is_baseline:
        return (Axis.SOURCE,)
    if evidence.cell.source == evidence.cell.destination:
        return (Axis.KERNEL,)
    return (Axis.DESTINATION, Axis.SOURCE)


def _along(evidence: Evidence, axis: Axis) -> Frontier:
    label = evidence.cell.destination if axis is Axis.DESTINATION else evidence.cell.source
    # Of two builds of one version the good one comes first, as if the other were the newer.
    points = sorted(_points(evidence, axis), key=lambda p: (p.version.key, bool(p.failed), p.label))
    place = next(number for number, point in enumerate(points) if point.label == label)
    bad, good = points[place], None
    for point in reversed(points[:place]):
        if point.failed is None:
            continue
        if not point.failed:
            good = point
            break
        bad = point
    return Frontier(axis, tuple(points), good, bad)


def _points(evidence: Evidence, axis: Axis) -> Iterator[Point]:
    on_the_source = axis is Axis.SOURCE and evidence.on_the_source
    answer = _dumped if on_the_source else _passed
    kernel: Callable[[Cell], str] = lambda c: c.destination if axis is Axis.DESTINATION else c.source  # noqa: E731
    side = "destination" if axis is Axis.DESTINATION else "source"
    cells = sorted(
        (c for c in evidence.run.final if _belongs(evidence.cell, c, axis, on_the_source)), key=kernel
    )
    for label, group in groupby(cells, kernel):
        states = [(evidence.run.final[one], one) for one in group]
        # The cell itself speaks for its kernel, then a diagonal; the dump is the same for all of a source.
        attempt = min(states, key=lambda s: (s[1] != evidence.cell, not s[1].is_diagonal, s[1]))[0]
        yield Point(label, attempt.kernels[side], attempt, answer(evidence.attempt, attempt))


def _belongs(mine: Cell, other: Cell, axis: Axis, on_the_source: bool) -> bool:
    if (mine.userland, mine.mode, mine.scenario) != (other.userland, other.mode, other.scenario):
        return False
    match axis:
        case Axis.KERNEL:
            return other.source == other.destination
        case Axis.DESTINATION:
            return other.source == mine.source
        case Axis.SOURCE:
            return on_the_source or other.destination == mine.destination


def _passed(mine: Attempt, other: Attempt) -> bool | None:
    if other.outcome is Outcome.PASS:
        return False
    return True if _alike(mine, other) else None


def _dumped(mine: Attempt, other: Attempt) -> bool | None:
    if _alike(mine, other):
        return True
    came_further = other.phase in (Phase.TRANSFER, Phase.RESTORE, Phase.CHECK)
    return False if came_further and other.outcome in (Outcome.PASS, Outcome.FAIL, Outcome.FLAKY) else None


def _alike(mine: Attempt, other: Attempt) -> bool:
    """The same cause, by its signature and the phase in which it showed."""
    if other is mine:
        return True
    same = (other.phase, other.signature, other.reason) == (mine.phase, mine.signature, mine.reason)
    return other.outcome is Outcome.FAIL and same
