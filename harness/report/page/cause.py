"""A cause as the page shows it: one row of the table, with what its first cell's logs say."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.matrix.cell import ARROW
from harness.report import frames
from harness.report.frames import Cause
from harness.report.rundir import Run, link
from harness.report.sanitize import slug, visible
from harness.verdict.known import Breakage, KnownBreakages
from harness.verdict.verdict import Verdict

DRAFTS = "upstream"
"""The folder of a run in which `kmatrix upstream` puts its drafts."""
_DRAFT_FILES = ("mail.eml", "issue.md")
_NAMED = 400
"""Moves of a cause that are listed where there is no script."""


@dataclass(frozen=True)
class Excerpt:
    """Some lines of a log; every line has passed `visible`."""

    log: str
    first: int
    """Number of the first line in the log, from 1; 0 if unknown."""
    lines: tuple[str, ...]
    marked: int | None
    """Which of the lines is the true error."""


@dataclass(frozen=True)
class PageCause:
    """One row."""

    id: str
    """Short and stable: the same signature in another run has the same."""
    cause: Cause
    known: tuple[Breakage, ...]
    excerpts: tuple[Excerpt, ...]
    draft: str | None
    """A link to the draft for upstream, if it has been written."""
    moves: tuple[tuple[str, str], ...]
    """Where it happens: userland, mode and kernels, with the scenarios; for a page without a script."""

    @property
    def cells(self) -> tuple[str, ...]:
        """Names of the cells."""
        return self.cause.cells

    @property
    def upstream(self) -> str:
        """The command that writes the draft."""
        return f"kmatrix upstream {shlex.quote(visible(self.cause.cells[0]))}"

    def as_json(self) -> dict[str, Any]:
        """What the script needs beyond the table in the page."""
        return {
            "id": self.id,
            "error": visible(self.cause.error, 2000) if self.cause.error else "",
            "signature": visible(self.cause.signature, 2000),
            "first": visible(self.cause.cells[0]),
            "excerpts": [
                {"log": e.log, "first": e.first, "lines": list(e.lines), "marked": e.marked}
                for e in self.excerpts
            ],
            "draft": self.draft or "",
            "upstream": self.upstream,
        }


def collect(
    run: Run,
    cells: pd.DataFrame,
    known: KnownBreakages,
    excerpts: Mapping[str, Sequence[Excerpt]],
) -> list[PageCause]:
    """All causes of the run, worst first; `excerpts` by the cause's first cell."""
    entries = {entry.id: entry for entry in known}
    parts = dict(
        zip(
            cells["cell"],
            zip(*(cells[name] for name in ("userland", "mode", "scenario", "source", "destination")), strict=True),
            strict=True,
        )
    )
    return [
        PageCause(
            id=identity(cause),
            cause=cause,
            known=tuple(entries[name] for name in cause.known if name in entries),
            excerpts=tuple(excerpts.get(cause.cells[0], ())),
            draft=_draft(run, cause),
            moves=tuple(_moves([parts[name] for name in cause.cells])),
        )
        for cause in frames.causes(cells)
    ]


def identity(cause: Cause) -> str:
    """Eight characters of a hash of phase, outcome and signature."""
    text = "\0".join((str(cause.outcome), cause.phase, cause.signature))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def breaks(cause: PageCause) -> bool:
    """Whether it says anything about a kernel or CRIU."""
    return cause.cause.worst.rank > Verdict.LAB_ERROR.rank


def _moves(cells: list[tuple[str, str, str, str, str]]) -> Iterator[tuple[str, str]]:
    groups: dict[str, list[str]] = {}
    for userland, mode, scenario, source, destination in cells:
        where = source if mode == "baseline" else f"{source}{ARROW}{destination}"
        groups.setdefault(f"{userland}/{mode} {where}", []).append(scenario)
    for where, scenarios in list(groups.items())[:_NAMED]:
        yield where, ", ".join(scenarios)


def _draft(run: Run, cause: Cause) -> str | None:
    """The folder of `kmatrix upstream` for any of the cells, where it was left at its usual place."""
    if not (run.directory / DRAFTS).is_dir():
        return None
    for name in cause.cells:
        for file in _DRAFT_FILES:
            path = f"{DRAFTS}/{slug(name)}/{file}"
            if run.log(path) is not None:
                return link(path)
    return None
