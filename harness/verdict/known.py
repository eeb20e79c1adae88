"""Known breakages: what a log says, between which versions, whose fault it is, what helps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from harness.errors import HarnessError
from harness.matrix.cell import Phase
from harness.verdict.order import KernelVersion, Range, holds

FILE = Path(__file__).parent / "known.yaml"


class Blame(StrEnum):
    """Who can mend a breakage."""

    KERNEL = "kernel"
    CRIU = "criu"
    USERLAND = "userland"
    ENVIRONMENT = "environment"
    """The host's configuration, or what else runs on it."""
    DESIGN = "design"
    """Nobody: the older kernel cannot have what the newer one's process holds."""
    LAB = "lab"
    UNKNOWN = "unknown"


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r}: {error}") from error
    return text


def _range(text: str) -> str:
    Range.parse(text)
    return text


_CONDITION = re.compile(r"present|absent|E[A-Z0-9]+|(has|lacks|!=) .+|> \d+")


def _condition(text: str) -> str:
    if not _CONDITION.fullmatch(text):
        raise ValueError(f"{text!r} is no condition such as present, EOPNOTSUPP, 'has ITEM' or '> 32'")
    return text


RangeText = Annotated[str, AfterValidator(_range)]
Conditions = dict[str, Annotated[str, AfterValidator(_condition)]]
"""By id of the surface's catalogue."""


class Model(BaseModel):
    """Frozen, and no key but those that are documented at the head of `known.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Fixed(Model):
    """The first versions that have a fix."""

    criu: str | None = None
    kernel: str | None = None

    @property
    def text(self) -> str:
        """In words, e.g. `CRIU 4.0 and Linux 6.8`; empty if nothing is known to have a fix."""
        versions = (("CRIU", self.criu), ("Linux", self.kernel))
        return " and ".join(f"{name} {version}" for name, version in versions if version)


class Remedy(Model):
    """What helps until it is fixed."""

    env: dict[str, str] = Field(default_factory=dict)
    """Environment of the workload."""
    criu: tuple[str, ...] = ()
    """Options for dump and restore."""
    text: str = ""

    @property
    def can_be_tried(self) -> bool:
        """Whether the lab itself can run a cell with it."""
        return bool(self.env or self.criu)


class Omens(Model):
    """What of two kernels' surfaces foretells a breakage; all conditions must hold."""

    source: Conditions = Field(default_factory=dict)
    destination: Conditions = Field(default_factory=dict)
    either: Conditions = Field(default_factory=dict)
    """Of one of the two kernels."""
    hits: str
    """Which workloads, in words."""

    @property
    def ids(self) -> set[str]:
        """The interfaces that are looked at."""
        return {*self.source, *self.destination, *self.either}


class Breakage(Model):
    """One entry of `known.yaml`."""

    id: str
    row: int | None = None
    """Row of the table that the entry was made from; None for a prediction or a finding of this lab."""
    title: str
    log: tuple[Annotated[str, AfterValidator(_pattern)], ...] = Field(min_length=1)
    phases: tuple[Phase, ...] = Field(min_length=1)
    source: tuple[RangeText, ...] = ()
    destination: tuple[RangeText, ...] = ()
    criu: tuple[RangeText, ...] = ()
    interface: str
    surface: tuple[str, ...] = ()
    """Ids of the surface's catalogue that the interface is known under there."""
    predict: Omens | None = None
    blame: Blame
    cause: str
    fixed: Fixed = Fixed()
    remedy: Remedy | None = None
    sources: tuple[str, ...] = Field(min_length=1)
    confidence: str = Field(pattern="^(observed|predicted|dated)$")

    @cached_property
    def _expressions(self) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(text) for text in self.log)

    @cached_property
    def _ranges(self) -> tuple[tuple[Range, ...], ...]:
        return tuple(tuple(map(Range.parse, texts)) for texts in (self.source, self.destination, self.criu))

    def says(self, line: str) -> bool:
        """Whether a line of a log is one that the breakage writes."""
        return any(expression.search(line) for expression in self._expressions)

    def fits(self, where: Circumstances) -> bool:
        """Whether phase and versions are those in which the breakage is known."""
        source, destination, criu = self._ranges
        return (
            where.phase in self.phases
            and holds(source, where.source)
            and holds(destination, where.destination)
            and (where.criu is None or holds(criu, where.criu))
        )

    def needs_a_move(self, where: Circumstances) -> bool:
        """Whether it fits and would not without the move: a checkpoint of the destination's own is not hit."""
        return self.fits(where) and not self.fits(replace(where, source=where.destination))

    def is_the_destinations(self, where: Circumstances) -> bool:
        """Whether it fits and hits every restore on the destination: what is restored comes from wherever it will."""
        return bool(self.destination) and not self.source and self.fits(where)


@dataclass(frozen=True)
class Circumstances:
    """Under which a line was written."""

    phase: Phase
    source: KernelVersion
    destination: KernelVersion
    criu: KernelVersion | None
    """None if CRIU's version is unknown."""


@dataclass(frozen=True)
class Match:
    """What is known of a line."""

    breakage: Breakage | None = None
    """Words and versions fit."""
    outside: tuple[Breakage, ...] = ()
    """The words fit and the versions do not: something new that looks alike, or a range that is wrong."""


class KnownBreakages:
    """All entries, in the order in which they are tried."""

    def __init__(self, entries: Iterable[Breakage]) -> None:
        self.entries = {entry.id: entry for entry in entries}
        self._said: dict[str, tuple[Breakage, ...]] = {}

    def __iter__(self) -> Iterator[Breakage]:
        """The entries."""
        return iter(self.entries.values())

    def match(self, lines: Iterable[str], where: Circumstances) -> Match:
        """What is known of a failure that wrote `lines`, the first true error line first."""
        outside: dict[str, Breakage] = {}
        for line in lines:
            for entry in self._speakers(line):
                if entry.fits(where):
                    return Match(entry)
                outside[entry.id] = entry
        return Match(None, tuple(outside.values()))

    def _speakers(self, line: str) -> tuple[Breakage, ...]:
        if line not in self._said:
            self._said[line] = tuple(entry for entry in self if entry.says(line))
        return self._said[line]


@cache
def load(path: Path = FILE) -> KnownBreakages:
    """Read a data file, once in a process: reading ours takes 0.13 s, and a report asks for it again and again.

    Raises `HarnessError` naming every key that is wrong in the first wrong entry.
    """
    try:
        document = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except (OSError, YAMLError) as error:
        raise HarnessError(f"{path.name}: {error}") from error
    if not isinstance(document, Mapping):
        raise HarnessError(f"{path.name}: expected entries by name")
    return KnownBreakages(_entry(path, str(name), record) for name, record in document.items())


def _entry(path: Path, name: str, record: object) -> Breakage:
    try:
        return Breakage.model_validate({"id": name, **record} if isinstance(record, Mapping) else record)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise HarnessError(f"{path.name}: {name}: {'; '.join(wrong)}") from error
