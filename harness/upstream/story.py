"""What mail and issue have in common, in words: subject, summary, border, environment, excerpt, what is missing."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.cache import Cache
from harness.guests.console import READY
from harness.guests.dmesg import cell_part
from harness.matrix.cell import Phase, Reason
from harness.report.sanitize import visible
from harness.upstream import configs, impact, workload
from harness.upstream.choose import Case
from harness.upstream.evidence import Commands, Evidence, KernelFacts, is_packaged
from harness.upstream.frontier import Axis, Frontier, Point
from harness.upstream.impact import Impact
from harness.upstream.text import around, guest_lines
from harness.upstream.workload import WorkloadSource
from harness.verdict.order import Direction

_BEFORE, _AFTER = 25, 10
_MESSAGES = 60
_KERNEL_TOLD = 12
_NEWLINE = "\\x0a"
"""How the ledger keeps the end of a line inside an error."""
_VERBS = {Phase.DUMP: "cannot be checkpointed", Phase.RESTORE: "cannot be restored"}


@dataclass(frozen=True)
class Row:
    """One kernel on the border's axis."""

    version: str
    label: str
    said: str


@dataclass(frozen=True)
class Story:
    """A case with what the templates say of it. All text is safe to show, on one line unless it is a list."""

    case: Case
    scenarios: Path
    cache: Cache
    forced: bool

    @property
    def evidence(self) -> Evidence:
        """The cell's."""
        return self.case.evidence

    @property
    def frontier(self) -> Frontier:
        """The cell's."""
        return self.case.frontier

    @cached_property
    def workload(self) -> WorkloadSource | None:
        """Its source, if this checkout has it."""
        return workload.find(self.scenarios, self.evidence.cell.scenario)

    @cached_property
    def impact(self) -> Impact:
        """Whom it hits."""
        return impact.measure(self.evidence, self.scenarios)

    @property
    def scenario(self) -> str:
        """Its name."""
        return visible(self.evidence.cell.scenario)

    @property
    def title(self) -> str:
        """What its workload is."""
        return visible(self.workload.title) if self.workload else "a test that this checkout has no source of"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is noise, if it was forced all the same."""
        return self.case.reasons if self.forced else ()

    @property
    def summary(self) -> str:
        """The whole in one sentence, without its full stop."""
        said = self._happens()
        if not self.is_regression or self.frontier.good is None:
            return said
        return f"{said}. The same works with Linux {self.frontier.good.name} in place of {self.frontier.bad.name}"

    def _happens(self) -> str:
        evidence = self.evidence
        source, destination = evidence.source.name, evidence.destination.name
        if evidence.attempt.reason is Reason.KERNEL:
            on = source if evidence.on_the_source else destination
            return f"Linux {on} reports a fault of its own while CRIU is at work (phase {evidence.attempt.phase})"
        if evidence.on_the_source:
            return f"CRIU cannot checkpoint a process on Linux {source}"
        if evidence.attempt.phase is Phase.CHECK:
            return (
                f"A process that CRIU checkpointed on Linux {source} and restored on Linux {destination} comes back "
                "changed, and CRIU reports no error"
            )
        return f"A process that CRIU checkpointed on Linux {source} cannot be restored on Linux {destination}"

    @property
    def failure(self) -> str:
        """What happens, as the end of a sentence about the scenario's process."""
        if self.evidence.attempt.reason is Reason.KERNEL:
            return "makes the kernel report a fault of its own"
        if self.evidence.attempt.phase is Phase.CHECK:
            return "comes back changed"
        return _VERBS.get(self.evidence.attempt.phase, f"fails in phase {self.evidence.attempt.phase}")

    @property
    def where(self) -> str:
        """On which kernels, as the end of the same sentence."""
        cell, source, destination = (self.evidence.cell, self.evidence.source, self.evidence.destination)
        if cell.source == cell.destination or self.evidence.on_the_source:
            return f"on Linux {source.name}"
        return f"on Linux {destination.name} when it was checkpointed on Linux {source.name}"

    @property
    def subject(self) -> str:
        """A line that names the versions and no guest's words."""
        good, bad = self.frontier.good, self.frontier.bad
        what = f'CRIU: process "{self.scenario}" {self.failure}'
        if good is None or not self.is_regression:
            return f"{what} {self.where}"
        known = (
            f" ({visible(self.evidence.judgement.interface)})" if self.evidence.judgement.interface else ""
        )
        return f"[REGRESSION] {what} since {bad.name}, works on {good.name}{known}"

    @property
    def is_regression(self) -> bool:
        """Whether a newer kernel does worse than an older one, all else equal."""
        backward = self.evidence.judgement.direction is Direction.BACKWARD and not self.evidence.on_the_source
        crash = self.evidence.attempt.reason is Reason.KERNEL
        return self.frontier.range is not None and (crash or not backward)

    @property
    def repeated(self) -> str:
        """How often it was tried."""
        boots = sum(str(one.isolation) == "boot" for one in self.evidence.attempts)
        failed, tried = self.evidence.failures, len(self.evidence.attempts)
        fresh = f", {boots} of them in a guest booted for it alone" if boots else ""
        return f"failed in {failed} of {tried} tries{fresh}"

    @property
    def rows(self) -> list[Row]:
        """The axis, oldest kernel first."""
        return [Row(point.name, visible(point.label), point.said) for point in self.frontier.points]

    @property
    def varied(self) -> str:
        """What the axis is, as a sentence."""
        cell = self.evidence.cell
        match self.frontier.axis:
            case Axis.DESTINATION:
                return (
                    f"Varied: the kernel of the restore. Constant: the kernel of the dump "
                    f"({self.evidence.source.name}), CRIU, root image, processor model."
                )
            case Axis.SOURCE if self.evidence.on_the_source:
                return "Varied: the kernel of the dump. Constant: CRIU, root image, processor model."
            case Axis.SOURCE:
                return (
                    f"Varied: the kernel of the dump. Constant: the kernel of the restore "
                    f"({self.evidence.destination.name}), CRIU, root image, processor model."
                )
            case Axis.KERNEL:
                with_criu = "without CRIU" if cell.is_baseline else "dump and restore on one and the same"
                return f"Varied: the kernel ({with_criu}). Constant: CRIU, root image, processor model."

    @property
    def untested_tags(self) -> bool:
        """Whether the range names mainline releases in place of the stable releases that were tried."""
        good = self.frontier.good
        if good is None or self.frontier.within_a_series:
            return False
        return self.frontier.range != f"v{good.name}..v{self.frontier.bad.name}"

    def point(self, point: Point) -> str:
        """One end of the border, with what identifies it."""
        package = f", package version {visible(point.identity.version)}" if point.identity.version else ""
        return f"{point.name} ({visible(point.identity.release)}{package})"

    @property
    def kernels(self) -> tuple[KernelFacts, ...]:
        """Source and destination, once if they are one."""
        evidence = self.evidence
        if evidence.source.identity.sha256 == evidence.destination.identity.sha256:
            return (evidence.source,)
        return (evidence.source,) if evidence.on_the_source else (evidence.source, evidence.destination)

    @property
    def distributions(self) -> list[str]:
        """Kernels of the border that are a distribution's, in words."""
        known = {k.label: k for k in (self.evidence.source, self.evidence.destination)}
        ends = [point for point in (self.frontier.good, self.frontier.bad) if point is not None]
        labels = dict.fromkeys(point.label for point in ends)
        named = []
        for label in labels:
            point = next(one for one in ends if one.label == label)
            facts = known.get(label)
            whose = (
                facts.distribution if facts else ("a distribution" if is_packaged(point.identity) else None)
            )
            if whose:
                named.append(f"{visible(point.identity.release)} ({whose})")
        return named

    @cached_property
    def difference(self) -> configs.Difference | None:
        """In what the configurations of the border's kernels differ; None if one of them is unknown."""
        good, bad = self.frontier.good, self.frontier.bad
        if good is None:
            return None
        before, after = (configs.find(self.cache, one.identity.sha256) for one in (good, bad))
        needs = self.workload.scenario.needs.config if self.workload else ()
        return configs.compare(before, after, needs) if before and after else None

    @property
    def commands(self) -> list[str]:
        """The exact commands, one a line."""
        return [
            f"{visible(name)}: {visible(shlex.join(argv))}" for name, argv in self.evidence.commands.items()
        ]

    @property
    def raw_commands(self) -> Commands:
        """The same, by name."""
        return self.evidence.commands

    @property
    def error(self) -> list[str]:
        """The first true error, or what the check said, line by line."""
        return guest_lines((self.evidence.attempt.error or "none was written").replace(_NEWLINE, "\n"))

    @property
    def log_name(self) -> str | None:
        """The log that has the failure; None where CRIU itself reported none."""
        attempt = self.evidence.attempt
        if attempt.reason is Reason.KERNEL or attempt.phase not in _VERBS:
            return None
        return "dump" if attempt.phase is Phase.DUMP else "restore"

    @property
    def excerpt(self) -> list[str]:
        """CRIU's log around the failure; empty if it has none, or if the log is not there."""
        text = self.evidence.log(self.log_name) if self.log_name else None
        return around(text, _BEFORE, _AFTER) if text else []

    @property
    def messages(self) -> list[str]:
        """What the kernel said while the step ran that failed."""
        kernel = self.evidence.source if self.evidence.on_the_source else self.evidence.destination
        if kernel.dmesg is None and self.evidence.attempt.reason is Reason.KERNEL:
            # nobody could ask a kernel that died; its last words are on the console
            words = (self.evidence.log("console") or "").rpartition(READY.decode())[2]
            return [visible(line, None) for line in words.strip().splitlines()[:_MESSAGES]]
        if not kernel.dmesg or not kernel.taint.known:
            return []
        limit = _MESSAGES if self.evidence.attempt.reason is Reason.KERNEL else _KERNEL_TOLD
        return [visible(line, None) for line in cell_part(kernel.dmesg).lines[:limit]]

    @property
    def criu(self) -> str:
        """Its version."""
        return visible(self.evidence.attempt.criu or "unknown")

    @property
    def environment(self) -> list[str]:
        """The machine and what runs on it, one fact a line."""
        return [visible(line) for line in self._environment()]

    def _environment(self) -> Iterator[str]:
        evidence, facts = self.evidence, self.evidence.run.facts
        versions = facts.get("versions")
        qemu = versions.get("qemu") if isinstance(versions, dict) else None
        memory = next((k.memory for k in self.kernels if k.memory), None)
        size = f", {memory} MiB" if memory else ""
        yield (
            f"machine: x86_64, QEMU {qemu or 'of unknown version'} (pc, {evidence.attempt.accelerator}, "
            f"{evidence.attempt.cpu}, 1 processor{size})"
        )
        yield f"userland: {evidence.cell.userland}, image sha256 {_image(evidence)}"
        yield f"criu: {self.criu}"
        for side, kernel in zip(("source", "destination"), self.kernels, strict=False):
            name = "kernel" if len(self.kernels) == 1 else f"{side} kernel"
            yield f"{name}: {kernel.banner or kernel.identity.release}"
            yield f"{name}, identity: sha256 {kernel.identity.sha256}"
            if kernel.command_line:
                yield f"{name}, command line: {kernel.command_line}"
            yield f"{name}, tainted: {kernel.taint}"

    @property
    def looks_like(self) -> str:
        """Known breakages with the same words in other versions."""
        return ", ".join(self.evidence.judgement.looks_like)


def _image(evidence: Evidence) -> str:
    userlands = evidence.run.facts.get("userlands")
    record = userlands.get(evidence.cell.userland) if isinstance(userlands, dict) else None
    found = record.get("sha256") if isinstance(record, dict) else None
    return str(found) if found and re.fullmatch("[0-9a-f]{64}", str(found)) else "unknown"
