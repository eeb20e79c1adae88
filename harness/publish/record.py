"""What a site remembers of every run that it ever showed, and of every cause: `history.json`.

A run's folder may be thrown away after it was published, and a site's pages of it be thinned; its line stays.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from harness.errors import HarnessError
from harness.history import History, PastRun, Sighting
from harness.report.charts import RunCounts
from harness.report.status import Status, status_of
from harness.verdict.verdict import Verdict

FILE = "history.json"
SCHEMA_VERSION = 1
_CAUSES = 20
"""Causes of new breakages that are told of a run."""


@dataclass(frozen=True)
class Cause:
    """One reason of new breakages in a run."""

    signature: str | None
    """Untrusted; None if the log had no error line."""
    cells: int


@dataclass(frozen=True)
class Entry:
    """One run. Texts are untrusted."""

    folder: str
    name: str
    began: str
    """ISO 8601, UTC."""
    finished: str | None
    planned: int
    headline: str
    scope: str
    """Digest of what must be alike for a fair comparison."""
    verdicts: Mapping[str, int]
    statuses: Mapping[str, int]
    against: str | None
    """The run before that has most of its cells; None if there is none."""
    unlike: tuple[str, ...]
    """What besides the kernels was another in that run, in words."""
    breakages: int
    """Cells that fail and did not fail in that run."""
    causes: tuple[Cause, ...]
    """Of these breakages, those of most cells first, at most 20."""
    kept: bool = False
    """Whether somebody marked it, so that it is kept whatever its age."""
    pages: bool = False
    """Whether the site has its reports."""
    logs: bool = False
    """Whether the site has its logs."""

    @property
    def when(self) -> datetime:
        """When it began."""
        return datetime.fromisoformat(self.began)

    @property
    def updated(self) -> datetime:
        """When it finished, or began if that is not known."""
        return datetime.fromisoformat(self.finished or self.began)

    @property
    def sentence(self) -> str:
        """Its state in one sentence, and what changed since the run before."""
        if self.against is None:
            return self.headline
        new = f"{self.breakages:,}" if self.breakages else "no"
        unlike = ", in unlike conditions" if self.unlike else ""
        plural = "s" if self.breakages > 1 else ""
        return f"{new} new breakage{plural} against {self.against}{unlike}; {self.headline}"

    @property
    def counts(self) -> RunCounts:
        """The run as the picture of pass rates wants it."""
        known = {str(verdict): verdict for verdict in Verdict}
        return RunCounts(self.name, self.began, {known[w]: n for w, n in self.verdicts.items() if w in known})

    def count(self, status: Status) -> int:
        """How many cells of a status."""
        return self.statuses.get(str(status), 0)


@dataclass(frozen=True)
class Seen:
    """One cause in all runs that the site ever knew. Texts are untrusted."""

    signature: str
    verdict: str
    """The worst that it meant."""
    first: str
    """Folder of the run in which it was first seen."""
    first_seen: str
    """When that run began, ISO 8601."""
    last: str
    last_seen: str
    runs: int
    cells: int


@dataclass(frozen=True)
class Record:
    """All runs, newest first, and all causes, newest first."""

    site: str = ""
    """The site's UUID, made once: ids in feeds come of it."""
    runs: tuple[Entry, ...] = ()
    causes: tuple[Seen, ...] = ()

    def as_json(self) -> str:
        """The document that `docs/publish.md` describes."""
        document = {"schema": SCHEMA_VERSION, **asdict(self)}
        return json.dumps(document, ensure_ascii=True, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Record:
        """Read it back. Raises `HarnessError` if it is no such document."""
        try:
            document = json.loads(text)
            if document["schema"] != SCHEMA_VERSION:
                raise HarnessError(f"{FILE} is of version {document['schema']!r}, not {SCHEMA_VERSION}")
            runs = tuple(_entry(run) for run in document["runs"])
            for run in runs:
                _ = run.when, run.updated, run.counts.rate
            return cls(
                str(uuid.UUID(document["site"])), runs, tuple(Seen(**cause) for cause in document["causes"])
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise HarnessError(f"{FILE} is not what kmatrix wrote: {error!r}") from error

    def joined(self, other: Record) -> Record:
        """This record with what only `other`, an older one, knows: the site, runs, marks, first sightings of causes."""
        older = {run.folder: run for run in other.runs}
        runs = older | {
            run.folder: replace(run, kept=run.folder in older and older[run.folder].kept) for run in self.runs
        }
        causes = {seen.signature: seen for seen in other.causes}
        for seen in self.causes:
            causes[seen.signature] = _joined(seen, causes.get(seen.signature))
        return Record(
            other.site or self.site,
            tuple(sorted(runs.values(), key=lambda run: (run.began, run.folder), reverse=True)),
            tuple(sorted(causes.values(), key=lambda seen: (seen.first_seen, seen.cells), reverse=True)),
        )


def of(history: History) -> Record:
    """The record of the runs in a reports folder; one that has not finished is not in it."""
    runs = [run for run in history.runs() if run.finished is not None]
    causes = (_seen(one) for one in history.signatures().values() if _breaks(one))
    found = Record(str(uuid.uuid4()), tuple(_of(history, run) for run in runs), tuple(causes))
    return found.joined(Record())


def _of(history: History, run: PastRun) -> Entry:
    before, changes = history.broke(run)
    tally: dict[str | None, int] = {}
    for change in changes:
        tally[change.signature] = tally.get(change.signature, 0) + 1
    causes = sorted(tally.items(), key=lambda item: (-item[1], item[0] or ""))[:_CAUSES]
    return Entry(
        folder=run.folder,
        name=run.name,
        began=run.began.isoformat(),
        finished=run.finished.isoformat() if run.finished else None,
        planned=run.planned,
        headline=run.headline,
        scope=run.scope.digest,
        verdicts={str(verdict): n for verdict, n in run.verdicts.items()},
        statuses={str(status): n for status, n in run.statuses.items()},
        against=before.name if before else None,
        unlike=before.scope.differences(run.scope) if before else (),
        breakages=len(changes),
        causes=tuple(Cause(signature, cells) for signature, cells in causes),
    )


def _breaks(seen: Sighting) -> bool:
    return any(status_of(verdict, "") in (Status.FAIL, Status.UNDETERMINED) for verdict in seen.verdicts)


def _seen(one: Sighting) -> Seen:
    return Seen(
        signature=one.signature,
        verdict=str(max(one.verdicts, key=lambda verdict: verdict.rank)),
        first=one.first.folder,
        first_seen=one.first.began.isoformat(),
        last=one.last.folder,
        last_seen=one.last.began.isoformat(),
        runs=one.runs,
        cells=one.cells,
    )


def _joined(now: Seen, before: Seen | None) -> Seen:
    if before is None:
        return now
    first = before if before.first_seen < now.first_seen else now
    last = before if before.last_seen > now.last_seen else now
    return replace(
        now,
        first=first.first,
        first_seen=first.first_seen,
        last=last.last,
        last_seen=last.last_seen,
        runs=max(before.runs, now.runs),
        cells=max(before.cells, now.cells),
    )


def _entry(run: dict[str, Any]) -> Entry:
    causes: Iterable[dict[str, Any]] = run.pop("causes")
    unlike = tuple(run.pop("unlike"))
    return Entry(**run, causes=tuple(Cause(**cause) for cause in causes), unlike=unlike)
