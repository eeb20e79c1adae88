"""Known breakages that two kernels' surfaces and CRIU's version foretell, before anything was migrated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.surface.catalogue import Catalogue, load
from harness.surface.record import Finding, Record
from harness.verdict.known import Breakage
from harness.verdict.order import KernelVersion, Range, holds

_NUMBER = re.compile(r"> (\d+)")


@dataclass(frozen=True)
class Prediction:
    """A breakage that is to be expected of moves from one kernel to another."""

    breakage: Breakage
    source: str
    destination: str
    """Labels of the kernels."""
    userland: str
    criu: str
    because: tuple[str, ...]
    """The findings on which it rests, in words."""

    @property
    def hits(self) -> str:
        """Which workloads, in words."""
        return self.breakage.predict.hits if self.breakage.predict else ""


def predictions(
    source: Record, destination: Record, entries: Iterable[Breakage], catalogue: Catalogue | None = None
) -> list[Prediction]:
    """What is to be expected of moves from `source` to `destination`, for every userland that both know."""
    catalogue = catalogue or load()
    listed, labels = list(entries), (source.kernel.label, destination.kernel.label)
    found = []
    for userland, criu in source.criu.items():
        if userland not in destination.criu:
            continue
        for entry in listed:
            because = _reasons(entry, source, destination, catalogue)
            if because and _hits(entry, criu.version):
                found.append(Prediction(entry, *labels, userland, criu.version, because))
    return found


def _hits(entry: Breakage, criu: str) -> bool:
    return holds(tuple(map(Range.parse, entry.criu)), KernelVersion.of(criu))


def _reasons(entry: Breakage, source: Record, destination: Record, catalogue: Catalogue) -> tuple[str, ...]:
    """In words why the entry is foretold; nothing if it is not."""
    if entry.predict is None:
        return ()
    here = _met(entry.predict.source, source, catalogue)
    there = _met(entry.predict.destination, destination, catalogue)
    either = [_met(entry.predict.either, record, catalogue) for record in (source, destination)]
    one = next((reasons for reasons in either if reasons is not None), None)
    if here is None or there is None or one is None:
        return ()
    return tuple(dict.fromkeys((*here, *there, *one)))


def _met(conditions: Mapping[str, str], record: Record, catalogue: Catalogue) -> list[str] | None:
    """The findings that meet the conditions, in words; None if one does not, or was not asked for."""
    reasons = []
    for id, condition in conditions.items():
        finding = record.findings.get(id)
        if finding is None or not is_met(condition, finding, catalogue[id].present(finding.result)):
            return None
        said = finding.result if isinstance(finding.value, tuple) else str(finding)
        reasons.append(f"{id} {condition} under {record.kernel.label} ({said})")
    return reasons


def is_met(condition: str, finding: Finding, present: bool) -> bool:
    """Whether a finding is as a condition of `known.yaml` wants it; its head says how one is written."""
    if condition in ("present", "absent"):
        return present is (condition == "present")
    word, _, rest = condition.partition(" ")
    items = finding.value if isinstance(finding.value, tuple) else (str(finding.value),)
    # what could not be asked lacks nothing and differs from nothing
    if word in ("has", "lacks"):
        return finding.result == "ok" and any(rest in item for item in items) is (word == "has")
    if word == "!=":
        return finding.result == "ok" and str(finding.value) != rest
    if number := _NUMBER.fullmatch(condition):
        return isinstance(finding.value, int) and finding.value > int(number[1])
    return finding.result == condition


def all_predictions(one: Record, other: Record, entries: Iterable[Breakage]) -> list[Prediction]:
    """What is to be expected of moves from one kernel to the other, and of the other alone."""
    listed = list(entries)
    moves = predictions(one, other, listed)
    said = {(prediction.breakage.id, prediction.userland) for prediction in moves}
    alone = predictions(other, other, listed)
    return moves + [p for p in alone if (p.breakage.id, p.userland) not in said]
