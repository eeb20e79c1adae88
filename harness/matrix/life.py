"""One attempt at one task, from a pristine guest to the evidence on disk."""

from __future__ import annotations

import contextlib
import re
import tarfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from harness.cache import sha256_of
from harness.errors import (
    BaselineFailed,
    CannotRun,
    DeadlineExceeded,
    DiagonalFailed,
    GuestError,
    GuestHang,
    GuestLost,
    HarnessError,
    KernelComplaint,
    KernelOops,
    KernelPanic,
    Refused,
)
from harness.guests import dmesg
from harness.matrix.cell import Isolation, Outcome, Phase, Reason
from harness.matrix.lab import Lab
from harness.matrix.plan import Kind, Task
from harness.matrix.workloads import Subject
from harness.migration.checkpoint import Checkpoint, Manifest
from harness.migration.criu import DUMP_DONE, RESTORE_DONE
from harness.migration.engine import Engine, engine_of
from harness.migration.site import CriuRun, Site, as_log, images_size
from harness.report.sanitize import visible
from harness.scenario import Facts, Workload
from harness.verdict.signature import first_error

BASELINE_SECONDS = 0.5
"""How long a workload is left alone in a baseline, about as long as a dump would freeze it."""

UNFIT = 77
"""How a program of `Scenario.around` ends where the kernel cannot hold the workload, as automake's tests do."""

# CRIU could not have the pid that it must have: something of the lab's own stood in the way (DESIGN.md, decision 9).
_PID_TAKEN = re.compile(r"fork.*: File exists|Pid \d+ do not match expected|clone3?.*EEXIST")
_KERNEL_FAULT = (KernelPanic, KernelOops, GuestHang, KernelComplaint)
_CRIU_PHASES = (Phase.DUMP, Phase.RESTORE, Phase.CHECK)


class CriuFailed(Exception):
    """CRIU could not dump or restore. The message is its first true error line, untrusted."""


@dataclass
class Story:
    """What happened in one attempt, as it happens."""

    task: Task
    number: int
    isolation: Isolation
    directory: Path
    slot: int = 0
    phase: Phase = Phase.BOOT
    seconds: dict[str, float] = field(default_factory=dict)
    commands: dict[str, tuple[str, ...]] = field(default_factory=dict)
    logs: dict[str, Path] = field(default_factory=dict)
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    outcome: Outcome = Outcome.ERROR
    error: str | None = None
    failure: BaseException | None = None
    checkpoint: Checkpoint | None = None
    image_bytes: int | None = None
    dump_seconds: float | None = None

    @property
    def reason(self) -> Reason | None:
        """What kind of thing ended it; None if it passed."""
        return None if self.failure is None else reason_of(self.failure)

    @contextlib.contextmanager
    def during(self, phase: Phase) -> Iterator[None]:
        """Whatever is raised in here happened in `phase`."""
        self.phase = phase
        started = time.monotonic()
        try:
            yield
        finally:
            spent = time.monotonic() - started
            self.seconds[phase] = round(self.seconds.get(phase, 0.0) + spent, 4)

    def in_guest(self, seconds: float) -> None:
        """Account for what ran inside the guest."""
        self.seconds["guest"] = round(self.seconds.get("guest", 0.0) + seconds, 4)

    def keep(self, name: str, text: str | bytes) -> None:
        """One more piece of evidence."""
        path = self.directory / f"{name}.log"
        path.write_bytes(text.encode("utf-8", "replace") if isinstance(text, str) else text)
        self.logs[name] = path


def judge(failure: BaseException, phase: Phase) -> tuple[Outcome, str]:
    """What an exception says about the cell, and the first true error line."""
    message = visible(str(failure).strip() or type(failure).__name__)
    # pytest explains an assert on further lines, and not always in the same words
    first_line = visible(str(failure).strip().partition("\n")[0]) or type(failure).__name__
    if isinstance(failure, CriuFailed):
        return (Outcome.ERROR if _PID_TAKEN.search(message) else Outcome.FAIL), message
    if isinstance(failure, _KERNEL_FAULT):
        # A kernel that does not even boot in this lab says nothing about CRIU.
        return (Outcome.ERROR if phase is Phase.BOOT else Outcome.FAIL), first_line
    if isinstance(failure, DeadlineExceeded) and phase in _CRIU_PHASES:
        return Outcome.FAIL, first_line
    if isinstance(failure, AssertionError):
        # Before the dump nothing of CRIU's has happened: then it is the workload or the lab.
        return (Outcome.FAIL if phase in (Phase.CHECK, Phase.BASELINE) else Outcome.ERROR), first_line
    if isinstance(failure, CannotRun):
        return Outcome.SKIP, first_line
    if isinstance(failure, HarnessError):
        return Outcome.ERROR, first_line
    return Outcome.ERROR, f"{type(failure).__name__}: {first_line}"


def reason_of(failure: BaseException) -> Reason:
    """What kind of thing an exception is."""
    kinds: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Reason], ...] = (
        (CriuFailed, Reason.CRIU),
        (AssertionError, Reason.CHECK),
        (_KERNEL_FAULT, Reason.KERNEL),
        (DeadlineExceeded, Reason.DEADLINE),
        (Refused, Reason.REFUSAL),
        (BaselineFailed, Reason.BASELINE),
        (DiagonalFailed, Reason.DIAGONAL),
        (CannotRun, Reason.NEED),
    )
    return next((reason for kind, reason in kinds if isinstance(failure, kind)), Reason.LAB)


def live(lab: Lab, site: Site, story: Story, checkpoint: Checkpoint | None) -> None:
    """Do a task at a pristine site and fill in its story. Never raises but for an interrupt."""
    reference = lab.scenarios[story.task.scenario]
    try:
        if story.task.kind is Kind.RESTORE:
            assert checkpoint is not None, "a restore without a checkpoint"
            _restore(lab, site, story, reference, checkpoint)
        else:
            _start_and(lab, site, story, reference)
        site.guest.watch()
        _listen(site, story)
        story.outcome = Outcome.PASS
    except Exception as failure:  # noqa: BLE001  a scenario is foreign code; whatever it raises is one cell's error
        story.failure = _diagnosed(site, story, failure)
        story.outcome, story.error = judge(story.failure, story.phase)
        if not isinstance(story.failure, CriuFailed):  # whose log says more than where the lab read it
            story.keep("traceback", "".join(traceback.format_exception(story.failure)))
    finally:
        began = time.monotonic()
        _collect(site, story)
        story.seconds["evidence"] = round(time.monotonic() - began, 4)


def _listen(site: Site, story: Story) -> None:
    """Raise `KernelComplaint` if the kernel warned of itself or tainted itself meanwhile."""
    if "dmesg" not in story.logs:
        story.logs.update(site.logs(story.directory))
    if complaint := dmesg.complaint(_text(story.logs.get("dmesg"))):
        raise complaint


def _diagnosed(site: Site, story: Story, failure: Exception) -> Exception:
    """A silent agent, a missed deadline, what CRIU or a check says may have a graver cause."""
    if isinstance(failure, CriuFailed | AssertionError | DeadlineExceeded):
        try:
            _listen(site, story)
        except KernelComplaint as complaint:
            return complaint
        except (HarnessError, tarfile.TarError):  # then the guest is what is wrong
            pass
    if isinstance(failure, GuestLost | DeadlineExceeded):
        try:
            site.guest.watch()
            if isinstance(failure, GuestLost):
                site.guest.diagnose()
        except GuestError as graver:
            return graver
    return failure


def _start_and(lab: Lab, site: Site, story: Story, reference: Subject) -> None:
    """A baseline or a dump: both begin with a new workload."""
    image = lab.images[story.task.userland]
    with story.during(Phase.START):
        _require_features(lab, site, story, reference)
        payload = reference.payload(image, lab.cache)
        scenario = reference.scenario
        site.tune(scenario.sysctls)
        story.commands["workload"] = scenario.command
        workload, commands = engine_of(scenario).start(site, payload, scenario)
        story.commands.update(commands)
        reference.ready(site.host, workload)
        if scenario.pidfile is not None:
            pid = site.adopt(scenario.pidfile)
            workload = Workload(site.host, pid)
    if story.task.kind is Kind.BASELINE:
        with story.during(Phase.BASELINE):
            before = reference.remember(site.host, workload)
            time.sleep(BASELINE_SECONDS)
            with site.checking():
                reference.check(site.host, workload, before)
        return
    with story.during(Phase.START):
        facts: Facts = reference.remember(site.host, workload)
    _dump(lab, site, story, reference, workload, facts)


def _dump(lab: Lab, site: Site, story: Story, reference: Subject, workload: Workload, facts: Facts) -> None:
    scenario = reference.scenario
    engine = engine_of(scenario)
    _require_options(site, (*scenario.criu, *scenario.dump))
    with story.during(Phase.DUMP):
        done = engine.dump(site, workload, scenario)
        story.commands["dump"] = done.argv
        story.in_guest(done.seconds)
        try:
            _believe(site, story, engine, done, "dump", DUMP_DONE)
        except CriuFailed as failure:
            # 128 and more: a signal killed it, which is no refusal
            refusal = scenario.refusal if done.returncode < 128 else None
            if refusal is None or not re.search(refusal, str(failure)):
                raise
            with story.during(Phase.CHECK), site.checking():
                reference.refused(site.host, workload, facts)
            raise Refused(f"CRIU refuses the dump, as it says it does: {failure}") from failure
    with story.during(Phase.TRANSFER):
        data = story.directory / "checkpoint.tar"
        site.pack(data)
        story.image_bytes = images_size(data)
        story.dump_seconds = done.seconds
        manifest = Manifest(
            origin=lab.origin(story.task.userland, story.task.scenario, story.task.source),
            sha256=sha256_of(data),
            bytes=data.stat().st_size,
            pid=workload.pid,
            uptime=done.uptime,
            dump_command=done.argv,
            workload_command=reference.scenario.command,
            facts=facts,
            dump_seconds=done.seconds,
            image_bytes=story.image_bytes,
        )
        story.checkpoint = lab.store.put(manifest, data)


def _restore(lab: Lab, site: Site, story: Story, reference: Subject, checkpoint: Checkpoint) -> None:
    _require_features(lab, site, story, reference)
    scenario = reference.scenario
    engine = engine_of(scenario)
    _require_options(site, (*scenario.criu, *scenario.restore))
    with story.during(Phase.TRANSFER):
        story.image_bytes = checkpoint.manifest.image_bytes
        story.dump_seconds = checkpoint.manifest.dump_seconds
        site.tune(scenario.sysctls)
        site.insert(checkpoint)
    with story.during(Phase.RESTORE):
        done, commands = engine.restore(site, checkpoint, scenario)
        story.commands.update(commands | {"restore": done.argv})
        story.in_guest(done.seconds)
        if scenario.around and done.returncode == UNFIT:
            raise CannotRun(f"{story.task.destination} cannot hold {reference.name}, which says so itself")
        if done.returncode != 0:
            _believe(site, story, engine, done, "restore", RESTORE_DONE)
    try:
        with story.during(Phase.CHECK):
            before = site.backend.seconds
            workload = engine.restored(site, checkpoint, scenario)
            with site.checking():
                reference.check(site.host, workload, checkpoint.manifest.facts)
            story.in_guest(site.backend.seconds - before)
    finally:
        # Where CRIU never finished, a check that fails says nothing of its own, and one that passes must be fooled.
        with story.during(Phase.RESTORE):
            _believe(site, story, engine, done, "restore", RESTORE_DONE)
        story.phase = Phase.CHECK


def _require_features(lab: Lab, site: Site, story: Story, reference: Subject) -> None:
    """Raise `CannotRun` naming what CRIU cannot do under this kernel; each is asked once a run."""
    task = story.task
    lacking = []
    for feature in reference.scenario.needs.features:
        key = (task.userland, task.destination, feature)
        if key not in lab.features:
            lab.features[key] = site.has_feature(feature)
        if not lab.features[key]:
            lacking.append(feature)
    if lacking:
        raise CannotRun(
            f"{task.scenario} needs {', '.join(lacking)} of criu check --feature on {task.destination}"
        )


def _require_options(site: Site, wanted: tuple[str, ...]) -> None:
    if missing := site.criu.missing(wanted):
        raise CannotRun(f"CRIU {site.criu.version} does not know {', '.join(missing)}")


def _believe(site: Site, story: Story, engine: Engine, done: CriuRun, name: str, words: str) -> None:
    """Raise `CriuFailed` unless CRIU's log says that it is done. Its exit code is no proof either way.

    Raises `CannotRun` if it never came to CRIU, because the engine was built without it and says so.
    """
    if not story.logs.get(name):
        story.logs.update(site.logs(story.directory))
    log, output = (_text(story.logs.get(stem)) for stem in (name, "criu"))
    if not log and (reason := engine.incapable(output)):
        raise CannotRun(f"{engine.name} cannot do it in {story.task.userland}: {reason}")
    complaint = engine.complaint(done, output)
    if words not in log:
        silence = f"criu {name} ended with {done.returncode} and gave no reason"
        raise CriuFailed(first_error(log) or complaint or silence)
    if complaint:
        raise CriuFailed(complaint)


def _text(path: Path | None) -> str:
    return path.read_text("utf-8", "replace") if path else ""


def _collect(site: Site, story: Story) -> None:
    """The evidence that a cell always has: CRIU's logs, dmesg, console, commands."""
    if "dmesg" not in story.logs:
        # From a guest that is lost there is nothing to be had but its console.
        with contextlib.suppress(HarnessError, tarfile.TarError):
            story.logs.update(site.logs(story.directory))
    story.keep("console", site.guest.console.read())
    story.keep("commands", as_log(story.commands))
