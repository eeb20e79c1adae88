"""One cell again, alone: two cold boots, every step told, and a shell in the restored guest if wanted."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable
from pathlib import Path

from harness.cache import Cache
from harness.deadline import Deadline
from harness.errors import DeadlineExceeded, HarnessError
from harness.guests.guest import Guest
from harness.matrix import workloads
from harness.matrix.cell import Cell, Isolation, Outcome, Phase
from harness.matrix.lab import Lab
from harness.matrix.life import Story, judge, live
from harness.matrix.plan import Task, dump_task, task_of
from harness.matrix.workloads import Subject
from harness.migration.checkpoint import Checkpoint
from harness.report.sanitize import visible, visible_lines
from harness.session import rundir
from harness.session.selection import Options, choose
from harness.session.session import Say, open_lab
from harness.suites import zdtm


def repro(cell: Cell, options: Options, reports: Path, say: Say, lines: Iterable[str] | None) -> Outcome:
    """Run `cell` again and say what comes of it. `lines` are commands for a shell in the guest, None for no shell.

    Raises `HarnessError` and its kin if the lab cannot work or does not know the cell's parts.
    """
    options = dataclasses.replace(
        options,
        kernels=",".join(dict.fromkeys((cell.source, cell.destination))),
        userlands=cell.userland,
        scenarios=cell.scenario,
        isolation=Isolation.BOOT,
    )
    if cell.scenario.startswith(f"{zdtm.NAME}."):
        options = dataclasses.replace(options, suite=zdtm.NAME)
    selection = choose(options, Cache())
    reference: Subject = (
        selection.suite.cases[cell.scenario]
        if selection.suite is not None
        else workloads.load(options.scenario_directory / f"{cell.scenario}.py")
    )
    directory = rundir.new_directory(reports / "repro")
    with open_lab(options, selection, {cell.scenario: reference}, directory, say) as lab:
        if cell.is_baseline:
            return _live(lab, task_of(cell), None, say, lines).outcome
        dumped = _live(lab, dump_task(cell), None, say, None)
        if dumped.checkpoint is None:
            return dumped.outcome
        return _live(lab, task_of(cell), dumped.checkpoint, say, lines).outcome


def _live(
    lab: Lab, task: Task, checkpoint: Checkpoint | None, say: Say, lines: Iterable[str] | None
) -> Story:
    directory = lab.directory / task.kind
    directory.mkdir(parents=True)
    story = Story(task, 1, Isolation.BOOT, directory)
    say(f"{task.kind} on {task.destination} ({lab.kernels[task.destination].release})")
    try:
        with story.during(Phase.BOOT):
            site = lab.site(task.userland, task.destination, task.kind)
    except HarnessError as failure:
        story.failure = failure
        story.outcome, story.error = judge(failure, Phase.BOOT)
        _tell(story, say)
        return story
    live(lab, site, story, checkpoint)
    _tell(story, say)
    if lines is not None:
        shell(site.guest, lines, say, lab.timeouts.command)
    site.close()
    return story


def _tell(story: Story, say: Say) -> None:
    for name, argv in story.commands.items():
        say(f"  {name}: {shlex.join(argv)}")
    seconds = ", ".join(f"{phase} {spent:.2f} s" for phase, spent in story.seconds.items())
    say(f"  {story.outcome} in phase {story.phase} ({seconds})")
    if story.error:
        say(f"  {visible(story.error)}")
    say(f"  evidence in {story.directory}")


def shell(guest: Guest, lines: Iterable[str], say: Say, seconds: float) -> None:
    """Run each line in the guest as root, in a working directory that is kept from line to line.

    Every line has `seconds`; `exit` or the end of the input ends it. The agent has no terminal to offer.
    """
    say("a shell in the guest, one command a line; exit ends it")
    place = "/work"
    for line in lines:
        if line.strip() in ("exit", "logout"):
            break
        script = f"cd {shlex.quote(place)} && {{ {line}\n}}; code=$?; pwd >/run/kmatrix/place; exit $code"
        try:
            done = guest.run("/bin/sh", "-c", script, deadline=Deadline.after(seconds))
            place = guest.run("/bin/cat", "/run/kmatrix/place", deadline=Deadline.after(seconds)).text.strip()
        except DeadlineExceeded as error:
            say(str(error))
            continue
        for text in visible_lines((done.stdout + done.stderr).decode("utf-8", "replace").rstrip("\n")):
            say(text)
        if done.returncode:
            say(f"[exit status {done.returncode}]")
