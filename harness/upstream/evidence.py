"""What a run knows of one cell: kernels, commands, logs, taint. Read from its folder; nothing is judged here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from harness.cache import Cache
from harness.matrix.cell import Cell, Outcome, Phase
from harness.matrix.ledger import Attempt, KernelIdentity
from harness.report.rundir import Run
from harness.report.sanitize import visible
from harness.upstream import configs, taint
from harness.upstream.taint import Taint
from harness.verdict.known import Breakage
from harness.verdict.order import KernelVersion
from harness.verdict.verdict import Judgement

SURFACE = "surface"
"""The folder of a run with one record a kernel (`harness.surface.record`)."""
_READ = 64 << 20
"""Bytes of a log that are read at most."""
_BANNER = re.compile(r"Linux version \S+ .*")
_COMMAND_LINE = re.compile(r"(?:Kernel c|C)ommand line: (.*)")
_MEMORY = re.compile(r"Memory: \d+K/(\d+)K available")
_VENDOR = re.compile(
    r"\b(Debian|Ubuntu|Fedora|Red Hat|CentOS|openSUSE|SUSE|Arch Linux|Alpine|Amazon|Oracle)\b"
)
_PACKAGED = re.compile(r"\+deb|\.fc\d|\.el\d|-(?:generic|amd64|azure|aws|gcp|default|lts)\b")
_ON_THE_SOURCE = (Phase.START, Phase.BASELINE, Phase.DUMP)
Commands = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class KernelFacts:
    """One side's kernel."""

    label: str
    identity: KernelIdentity
    provenance: Mapping[str, Any]
    """As `run.json` has it; empty if it has none."""
    config: str | None
    dmesg: str | None

    @property
    def version(self) -> KernelVersion:
        """Its place in history."""
        return KernelVersion.of(self.identity.release, self.identity.version)

    @property
    def name(self) -> str:
        """The upstream version, e.g. `6.12.117`."""
        return str(self.version)

    @property
    def packages(self) -> tuple[tuple[str, str], ...]:
        """Package names and the SHA-256 of each."""
        listed = self.provenance.get("packages") or ()
        return tuple((str(name), str(sha256)) for name, sha256 in listed)

    @property
    def origin(self) -> str | None:
        """The archive, or the path that kernels.yaml gave."""
        return self.provenance.get("origin")

    @property
    def distribution(self) -> str | None:
        """Whose build it is, if it is a distribution's package; None for one that was built from source."""
        # What stands before the build's number names the compiler, which may be a distribution's all the same.
        named = _VENDOR.search((self.banner or "").rpartition("#")[2])
        if named:
            return named[1]
        return "a distribution" if self.packages or is_packaged(self.identity) else None

    @cached_property
    def taint(self) -> Taint:
        """Before the cell and after it."""
        return taint.read(self.dmesg or "")

    @cached_property
    def banner(self) -> str | None:
        """`/proc/version`, as `dmesg` has it; safe to show."""
        found = _BANNER.search(self.dmesg or "")
        return visible(found[0]) if found else None

    @cached_property
    def command_line(self) -> str | None:
        """The kernel's own command line; safe to show."""
        found = _COMMAND_LINE.search(self.dmesg or "")
        return visible(found[1].strip()) if found else None

    @property
    def memory(self) -> int | None:
        """MiB that the guest had, as its kernel counted them, to the next 64."""
        found = _MEMORY.search(self.dmesg or "")
        return -(-int(found[1]) // 65536) * 64 if found else None


@dataclass(frozen=True)
class Evidence:
    """One cell, and all that a report about it needs."""

    run: Run
    cell: Cell
    attempt: Attempt
    """Its last word."""
    attempts: tuple[Attempt, ...]
    judgement: Judgement
    judgements: Mapping[Cell, Judgement]
    known: Breakage | None
    source: KernelFacts
    destination: KernelFacts

    @property
    def on_the_source(self) -> bool:
        """Whether it ended before there was anything to move."""
        return self.attempt.phase in _ON_THE_SOURCE

    @property
    def step(self) -> str:
        """What did not go well, in a word that stands before `of SCENARIO`."""
        return {Phase.DUMP: "dump", Phase.RESTORE: "restore", Phase.CHECK: "state after the restore"}.get(
            self.attempt.phase, str(self.attempt.phase)
        )

    @property
    def failures(self) -> int:
        """How many tries failed."""
        return sum(one.outcome is Outcome.FAIL for one in self.attempts)

    def log(self, name: str) -> str | None:
        """A log of the last attempt as it is, untrusted; None if it is not there."""
        return read_log(self.run, self.attempt, name)

    @property
    def check_all(self) -> str | None:
        """What `criu check --all` says on each side, as the run's surface has it; untrusted, None if it has neither."""
        kernels = {one.identity.sha256: one for one in (self.source, self.destination)}
        said = [
            f"# {one.identity.release}\n{text}"
            for one in kernels.values()
            if (text := _checked(self.run, one.identity.sha256, self.cell.userland))
        ]
        return "\n".join(said) or None

    @property
    def commands(self) -> Commands:
        """The exact commands, of the dump and of what followed, by name."""
        beside = self.beside_dump("commands.log")
        first = _parse(_text(self.run.log(beside)) if beside else None)
        return {**first, **_parse(self.log("commands"))}

    def beside_dump(self, name: str) -> str | None:
        """The path in the run's folder of a file from the guest that dumped."""
        dump = self.attempt.logs.get("dump")
        return str(PurePosixPath(dump).with_name(name)) if dump else None


def is_packaged(identity: KernelIdentity) -> bool:
    """Whether a kernel is a distribution's, by its package's version or the way in which it is called."""
    return identity.version is not None or _PACKAGED.search(identity.release) is not None


def gather(
    run: Run, cell: Cell, judgements: Mapping[Cell, Judgement], known: Mapping[str, Breakage], cache: Cache
) -> Evidence:
    """All that the run's folder and the cache have on a cell that has its last word."""
    attempt, judgement = run.final[cell], judgements[cell]
    return Evidence(
        run=run,
        cell=cell,
        attempt=attempt,
        attempts=tuple(one for one in run.attempts if one.cell == cell),
        judgement=judgement,
        judgements=judgements,
        known=known.get(judgement.known) if judgement.known else None,
        source=kernel_facts(run, attempt, "source", cache),
        destination=kernel_facts(run, attempt, "destination", cache),
    )


def kernel_facts(run: Run, attempt: Attempt, side: str, cache: Cache) -> KernelFacts:
    """What is known of the kernel on one side of an attempt."""
    identity = attempt.kernels[side]
    label = attempt.cell.source if side == "source" else attempt.cell.destination
    return KernelFacts(
        label=label,
        identity=identity,
        provenance=_provenance(run, label, identity.sha256),
        config=configs.find(cache, identity.sha256),
        dmesg=_text(_dmesg(run, attempt, side)),
    )


def read_log(run: Run, attempt: Attempt, name: str) -> str | None:
    """A log of an attempt as it is, untrusted; None if it is not there."""
    return _text(run.log(attempt.logs.get(name, "")))


def _dmesg(run: Run, attempt: Attempt, side: str) -> Path | None:
    """The guest that dumped has its files beside the dump's log, the one that restored has them by name."""
    dump, own = attempt.logs.get("dump"), attempt.logs.get("dmesg")
    beside = str(PurePosixPath(dump).with_name("dmesg.log")) if dump else None
    if side == "source":
        if attempt.cell.is_baseline or (beside is None and attempt.phase in _ON_THE_SOURCE):
            return run.log(own or "")
        return run.log(beside or "")
    if own == beside:
        return None
    return run.log(own or "")


def _provenance(run: Run, label: str, sha256: str) -> Mapping[str, Any]:
    for kernel in run.plan.get("kernels", []):
        if isinstance(kernel, dict) and (kernel.get("label"), kernel.get("sha256")) == (label, sha256):
            found = kernel.get("provenance")
            return found if isinstance(found, dict) else {}
    return {}


def _checked(run: Run, sha256: str, userland: str) -> str | None:
    for path in sorted((run.directory / SURFACE).glob("*.json")):
        try:
            record = json.loads(path.read_text("utf-8"))
            if record["kernel"]["sha256"] == sha256:
                found = record["criu"][userland]
                return "\n".join([*map(str, found["said"]), f"exit status {found['returncode']}"])
        except (OSError, ValueError, KeyError, TypeError):  # another userland's, or no record
            continue
    return None


def _text(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            return file.read(_READ).decode("utf-8", "replace")
    except OSError:
        return None


def _parse(text: str | None) -> Commands:
    found: Commands = {}
    for line in (text or "").splitlines():
        name, colon, argv = line.partition(": ")
        try:
            words = json.loads(argv) if colon else None
        except ValueError:
            continue
        if isinstance(words, list):
            found[name] = tuple(str(word) for word in words)
    return found
