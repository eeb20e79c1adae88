"""A cause as the page shows it: one row of the table, with what its first cell's logs say."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.matrix.cell import ARROW, Cell
from harness.report import frames
from harness.report.excerpt import Excerpt, Limits, excerpt, excerpts_by_signature
from harness.report.frames import Cause
from harness.report.rundir import Run, link
from harness.report.sanitize import slug, visible
from harness.verdict.known import Breakage, KnownBreakages
from harness.verdict.verdict import Verdict

DRAFTS = "upstream"
"""The folder of a run in which `kmatrix upstream` puts its drafts."""
_DRAFT_FILES = ("mail.eml", "issue.md")
_COMMANDS = "commands"
_ALL_COMMANDS = Limits(tail=30, line=400)
_NAMED = 400
"""Moves of a cause that are listed where there is no script."""


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
            "cells": len(self.cause.cells),
            "excerpts": [
                {"title": one.title, "first": one.first, "lines": list(one.lines), "marked": one.marked}
                for one in self.excerpts
            ],
            "draft": self.draft or "",
        }


def collect(run: Run, cells: pd.DataFrame, known: KnownBreakages) -> list[PageCause]:
    """All causes of the run, worst first."""
    entries = {entry.id: entry for entry in known}
    excerpts = excerpts_by_signature(run, cells)
    columns = (cells[name] for name in ("userland", "mode", "scenario", "source", "destination"))
    named = dict(zip(cells["cell"], map(Cell, *columns), strict=True))

    def commands(cause: Cause) -> Iterator[Excerpt]:
        logs = run.final[named[cause.cells[0]]].logs
        found = excerpt(_COMMANDS, run.log(logs.get(_COMMANDS, "")), limits=_ALL_COMMANDS)
        if found is not None:
            yield found

    return [
        PageCause(
            id=identity(cause),
            cause=cause,
            known=tuple(entries[name] for name in cause.known if name in entries),
            excerpts=(*excerpts.get((cause.phase, cause.signature), ()), *commands(cause)),
            draft=_draft(run, cause),
            moves=tuple(moves(named[name] for name in cause.cells)),
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


def moves(cells: Iterable[Cell]) -> Iterator[tuple[str, str]]:
    """Where cells lie: userland, mode and kernels, with the scenarios. Untrusted texts."""
    groups: dict[str, list[str]] = {}
    for cell in cells:
        where = cell.source if cell.is_baseline else f"{cell.source}{ARROW}{cell.destination}"
        groups.setdefault(f"{cell.userland}/{cell.mode} {where}", []).append(cell.scenario)
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
