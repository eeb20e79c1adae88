"""Which of two kernels is the older one, vendor suffixes included, and whether a version lies in a range."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache

from debian.debian_support import Version

_UPSTREAM = re.compile(r"(?P<numbers>\d+(?:\.\d+)*)(?:[~-]?rc(?P<rc>\d+))?(?P<rest>.*)")
_NUMBERS = 4
"""A stable release has three numbers; some vendors add a fourth."""
_FINAL = 1 << 30
"""Stands for `no release candidate`, which comes after every candidate."""
_UNKNOWN_CHARACTERS = re.compile(r"[^A-Za-z0-9.+~-]")
_COMPARISON = re.compile(r"(?P<operator><=|>=|<|>|=)(?P<version>\S+)")

Key = tuple[tuple[int, ...], int, Version]


class Direction(StrEnum):
    """How a move goes through the kernels' history."""

    SAME = "same"
    """Source and destination are one kernel."""
    FORWARD = "forward"
    BACKWARD = "backward"
    SIDEWAYS = "sideways"
    """Two kernels of the same version: a patched one and its base, or two configurations."""


@dataclass(frozen=True)
class KernelVersion:
    """A kernel's place in history: upstream numbers, release candidate, what the vendor added."""

    numbers: tuple[int, ...]
    candidate: int
    """Number of the release candidate; `_FINAL` for a release."""
    vendor: str

    @classmethod
    def of(cls, release: str, version: str | None = None) -> KernelVersion:
        """From `uname -r` and, where there is one, the package's version, which goes first.

        Debian's `6.1.0-47-cloud-amd64` is 6.1.170 and says so only in the package's version `6.1.170-3`.
        A text that begins with no number is older than all others: a ledger of another lab's must not stop a report.
        """
        try:
            return _parse(version or release)
        except ValueError:
            return cls((), _FINAL, version or release)

    @cached_property
    def key(self) -> Key:
        """Sorts kernels from oldest to newest; what a vendor added is compared by Debian's rules for versions."""
        return (*self.upstream, Version(_UNKNOWN_CHARACTERS.sub(".", self.vendor).lstrip(".-+") or "0"))

    @cached_property
    def upstream(self) -> tuple[tuple[int, ...], int]:
        """The upstream part of the key alone."""
        padded = (*self.numbers, *(0,) * (_NUMBERS - len(self.numbers)))
        return padded, self.candidate

    @property
    def series(self) -> str:
        """The stable series, e.g. `6.12`."""
        return ".".join(str(number) for number in self.numbers[:2])

    def __str__(self) -> str:
        """The upstream version as kernel people write it, e.g. `6.12.117` or `7.3-rc2`."""
        plain = ".".join(str(number) for number in self.numbers)
        return plain if self.candidate == _FINAL else f"{plain}-rc{self.candidate}"


@lru_cache(maxsize=4096)
def _parse(text: str) -> KernelVersion:
    # an epoch says nothing of the kernel's age
    match = _UPSTREAM.fullmatch(text.partition(":")[2] or text)
    if match is None:
        raise ValueError(f"{text!r} does not begin with a version")
    numbers = tuple(int(number) for number in match["numbers"].split("."))[:_NUMBERS]
    return KernelVersion(numbers, int(match["rc"]) if match["rc"] else _FINAL, match["rest"])


@lru_cache(maxsize=4096)
def direction(source: KernelVersion, destination: KernelVersion, *, same: bool) -> Direction:
    """Which way a move goes; `same` says that both sides are one kernel, by its hash."""
    if same:
        return Direction.SAME
    if source.key == destination.key:
        return Direction.SIDEWAYS
    return Direction.FORWARD if source.key < destination.key else Direction.BACKWARD


@dataclass(frozen=True)
class Range:
    """Versions between bounds, e.g. `>=6.1.142 <6.1.149`; upstream numbers decide."""

    bounds: tuple[tuple[str, KernelVersion], ...]

    @classmethod
    def parse(cls, text: str) -> Range:
        """Comparisons separated by blanks; all must hold. Raises ValueError."""
        bounds = []
        for word in text.split():
            match = _COMPARISON.fullmatch(word)
            if match is None:
                raise ValueError(f"{word!r} is no comparison such as >=6.16")
            bounds.append((match["operator"], _parse(match["version"])))
        if not bounds:
            raise ValueError("an empty range")
        return cls(tuple(bounds))

    def holds(self, version: KernelVersion) -> bool:
        """Whether every comparison is true of `version`."""
        return all(_compare(version.upstream, operator, bound.upstream) for operator, bound in self.bounds)


def _compare(left: object, operator: str, right: object) -> bool:
    compared: dict[str, bool] = {
        "<": left < right,  # type: ignore[operator]
        "<=": left <= right,  # type: ignore[operator]
        ">": left > right,  # type: ignore[operator]
        ">=": left >= right,  # type: ignore[operator]
        "=": left == right,
    }
    return compared[operator]


def holds(ranges: Iterable[Range], version: KernelVersion) -> bool:
    """Whether any of the ranges has `version`; no range at all means every version."""
    listed = tuple(ranges)
    return not listed or any(one.holds(version) for one in listed)
