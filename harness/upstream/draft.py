"""`kmatrix upstream`: drafts written into a folder, and what a person has to do before anything is sent."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.cache import Cache
from harness.errors import ConfigError, HostError
from harness.report.rundir import load
from harness.report.sanitize import slug, visible
from harness.report.verdicts import judge
from harness.upstream import bundle, issue, mail
from harness.upstream.choose import choose
from harness.upstream.recipients import Recipients, recipients
from harness.upstream.story import Story
from harness.verdict.known import load as load_known

FOLDER = "upstream"


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    run: Path
    wanted: str
    """A cell, a signature or a part of one, or an entry of `known.yaml`."""
    scenarios: Path
    cache: Cache
    force: bool = False
    kernel_tree: Path | None = None
    output: Path | None = None


@dataclass(frozen=True)
class Drafts:
    """What was written."""

    cell: str
    directory: Path
    files: tuple[str, ...]
    notes: tuple[str, ...]
    """What was decided, and why."""
    todo: tuple[str, ...]
    """What a person has to do, in order."""

    def text(self) -> str:
        """For the terminal."""
        lines = [f"Drafts about {visible(self.cell)}; nothing was sent.", ""]
        lines += [f"  {self.directory / name}" for name in self.files]
        lines += ["", *self.notes, "", "Before any of it is sent, somebody must:"]
        lines += [f"  {number}. {what}" for number, what in enumerate(self.todo, 1)]
        return "\n".join(lines)


def write(request: Request) -> Drafts:
    """Write the drafts.

    Raises `ConfigError` if the run has no such cell, or if a report of it would be noise and `force` is not set;
    `HostError` if the drafts cannot be written.
    """
    run = load(request.run)
    known = load_known()
    case = choose(run, request.wanted, judge(run, known), known.entries, request.cache)
    name = visible(str(case.evidence.cell), 200)
    if case.reasons and not request.force:
        raise ConfigError(
            f"a report of {name} would be noise: {'; '.join(map(visible, case.reasons))}",
            hint="--force writes it all the same and says so in it",
        )
    story = Story(case, request.scenarios, request.cache, forced=bool(case.reasons))
    to = _recipients(story, request.kernel_tree)
    script = bundle.script_variable(story)
    made: dict[str, bytes] = {}
    if case.audience.kernel:
        made[mail.FILE] = mail.compose(story, to, script)
    made[issue.FILE] = issue.compose(story, script, mailed=case.audience.kernel).encode()
    made[bundle.FILE] = bundle.build(story)
    directory = request.output or request.run / FOLDER / slug(str(case.evidence.cell))
    _put(directory, made)
    notes, todo = _notes(story), tuple(_todo(story, to, directory, script))
    return Drafts(str(case.evidence.cell), directory, tuple(made), notes, todo)


def _recipients(story: Story, tree: Path | None) -> Recipients:
    words = " ".join([story.evidence.judgement.interface or "", *story.error])
    return recipients(words, story.frontier, tree)


def _put(directory: Path, made: dict[str, bytes]) -> None:
    """Each file whole or not at all; a mail of an earlier time that is not written now does not stay."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in (mail.FILE, issue.FILE, bundle.FILE):
            if name not in made:
                (directory / name).unlink(missing_ok=True)
        for name, data in made.items():
            descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(directory / name)
    except OSError as error:
        raise HostError(f"cannot write the drafts to {directory}: {error.strerror}") from error


def _notes(story: Story) -> tuple[str, ...]:
    case, frontier = story.case, story.frontier
    notes = [f"{case.evidence.judgement.verdict}: {visible(case.evidence.judgement.why)}"]
    if frontier.good is not None:
        notes.append(f"Last good {frontier.good.name}, first bad {frontier.bad.name}. {story.varied}")
    if not case.audience.kernel:
        notes.append(f"No mail: {case.audience.why}.")
    if story.forced:
        notes.append(f"FORCED, and marked so: {'; '.join(map(visible, case.reasons))}.")
    return tuple(notes)


def _todo(story: Story, to: Recipients, directory: Path, script: str | None) -> Iterator[str]:
    case, frontier = story.case, story.frontier
    cell = shlex.quote(str(case.evidence.cell))
    if len(case.evidence.attempts) < 2:
        yield f"see it fail again: it was tried once only (kmatrix repro {visible(cell)})"
    yield "look whether it is known already: the lists' archives, regzbot's list, CRIU's tracker"
    if story.looks_like:
        yield f"tell it apart from what has the same words: {story.looks_like}"
    if case.audience.kernel:
        yield from _kernel_todo(story, to, script)
    if case.evidence.check_all is None:
        yield f"fill in the output of criu check --all in {issue.FILE}"
    yield f"read {bundle.FILE} for what should not be public, and put it where the drafts can link to it"
    yield f"file {issue.FILE} in CRIU's tracker, with {bundle.FILE} attached"
    if case.audience.kernel:
        path = shlex.quote(str(directory / mail.FILE))
        first = frontier.good is not None and story.is_regression
        yield (
            f"fill in sender, link and Reported-by in {mail.FILE}, read it, and send it by hand, for example: "
            f"mutt -H {path}" + ("" if first else " (but it is no regression as it stands)")
        )


def _kernel_todo(story: Story, to: Recipients, script: str | None) -> Iterator[str]:
    good, bad = story.frontier.good, story.frontier.bad
    if story.distributions:
        versions = f"v{good.name} and v{bad.name}" if good else f"v{bad.name}"
        how = f" ({script}=bzImage ./reproduce.sh)" if script else ""
        yield f"confirm it on vanilla {versions}{how}: {', '.join(story.distributions)} are a distribution's"
    else:
        yield "make sure that the kernels are vanilla: the run knows only that they are no distribution's packages"
    yield "confirm it on the newest mainline release candidate"
    if story.frontier.range:
        yield f"bisect {story.frontier.range} if that can be done, and say so in {mail.FILE}"
    if not to.asked:
        yield f"ask a kernel tree for the maintainers (--kernel-tree DIR, or {to.question})"
    elif not to.files:
        yield "find the maintainers: the interface points at no file of the kernel tree"
