"""What two runs must have in common, so that a cell's change can be the kernel's doing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from harness.cache import key_of
from harness.report.rundir import Run

DIGEST = 12
"""Characters of a hash that is shown."""


@dataclass(frozen=True)
class Scope:
    """What must be alike in two runs for a change of a cell to be the kernel's doing.

    Kernels are what is under test and no part of it. None stands for what the run's folder does not say.
    """

    userlands: tuple[tuple[str, str | None, str | None], ...]
    """Name, version of CRIU, hash of the image."""
    workloads: tuple[tuple[str, str], ...] | None
    """Name of the scenario and hash of what is run for it."""
    guest: tuple[tuple[str, str], ...] | None
    """Memory, processors and kernel arguments of a guest."""
    cpu: str | None
    accelerator: str | None
    isolation: str | None
    qemu: str | None

    @classmethod
    def of(cls, run: Run) -> Scope:
        """The scope of a run, from its `run.json`."""
        workloads, guest = run.plan.get("workloads"), run.plan.get("guest")
        return cls(
            userlands=tuple(
                sorted(
                    (name, _said(what.get("criu")), _said(what.get("sha256")))
                    for name, what in _userlands(run)
                )
            ),
            workloads=_pairs(workloads) if isinstance(workloads, dict) else None,
            guest=_pairs(guest) if isinstance(guest, dict) else None,
            cpu=_said(run.facts.get("cpu")),
            accelerator=_said(run.facts.get("accelerator")),
            isolation=_said(run.plan.get("isolation")),
            qemu=_said(_mapping(run.facts.get("versions")).get("qemu")),
        )

    @property
    def digest(self) -> str:
        """A short hash: runs with the same one can be compared cell by cell. Of two that differ, `differences` tells
        whether they are alike in what both have."""
        return key_of(scope=astuple(self))[:DIGEST]

    def differences(self, other: Scope) -> tuple[str, ...]:
        """What is known to be another in `other`, in words; empty if nothing is. Untrusted text.

        Userlands and scenarios that only one of the two has are no difference: their cells are not compared.
        """
        return tuple(
            f"{what} was {was or 'empty'} and is {now or 'empty'}"
            for what, was, now in self._unlike(other)
            if was is not None and now is not None
        )

    def unknown(self, other: Scope) -> tuple[str, ...]:
        """What cannot be compared because one of the two runs did not write it down, in words. Untrusted text."""
        return tuple(
            f"{what}: not recorded" for what, was, now in self._unlike(other) if was is None or now is None
        )

    def _unlike(self, other: Scope) -> Iterator[tuple[str, str | None, str | None]]:
        """What, before, after: everything that is not known to be alike."""
        theirs = {name: (criu, image) for name, criu, image in other.userlands}
        for name, criu, image in self.userlands:
            if name in theirs:
                yield from _unlike(f"CRIU of {name}", criu, theirs[name][0])
                yield from _unlike(f"the image of {name}", image, theirs[name][1])
        for what in ("cpu", "accelerator", "isolation", "qemu"):
            yield from _unlike(_NAMES[what], getattr(self, what), getattr(other, what))
        yield from _unlike_pairs(
            "the version of scenario", "what scenarios run", self.workloads, other.workloads
        )
        yield from _unlike_pairs("the guests'", "what guests are made of", self.guest, other.guest)


_NAMES = {
    "cpu": "the CPU model",
    "accelerator": "the accelerator",
    "isolation": "the isolation",
    "qemu": "QEMU",
}


def _unlike(what: str, was: str | None, now: str | None) -> Iterator[tuple[str, str | None, str | None]]:
    if was != now or was is None:
        yield what, was, now


def _unlike_pairs(
    what: str,
    all_of_it: str,
    before: Sequence[tuple[str, str]] | None,
    after: Sequence[tuple[str, str]] | None,
) -> Iterator[tuple[str, str | None, str | None]]:
    if before is None or after is None:
        yield all_of_it, None, None
        return
    theirs = dict(after)
    for name, was in before:
        if name in theirs:
            yield from _unlike(f"{what} {name}", was, theirs[name])


def _userlands(run: Run) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, what in _mapping(run.facts.get("userlands")).items():
        yield str(name), _mapping(what)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _pairs(found: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(name), str(value)) for name, value in found.items()))


def _said(value: object) -> str | None:
    return str(value) if value not in (None, "") else None
