"""The questions that reports ask of earlier runs, each answered by one query."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import accumulate, pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from harness.history import flips, index
from harness.history.flips import Flips
from harness.history.index import stored, told
from harness.history.past import Change, PastRun, Sighting, Strip
from harness.history.reading import began
from harness.matrix.cell import Cell
from harness.report.rundir import Run
from harness.report.scope import Scope
from harness.report.status import Status
from harness.verdict.verdict import Verdict

Term = TypeVar("Term", bound=StrEnum)
LAST = 30
"""Runs that a strip goes back."""
_RUN = ", ".join(
    f"run.{column}"
    for column in (
        "no", "folder", "name", "began", "finished", "planned", "scope", "headline", "verdicts", "statuses"
    )
)  # fmt: skip
_LATER = "9999"
"""Sorts after every moment that the index holds."""


@dataclass(frozen=True)
class History:
    """The runs of a reports folder. Use it in a `with` statement, or close it."""

    reports: Path
    notes: tuple[str, ...]
    """What could not be read or is no longer there, in words; text of a run's is made visible."""
    connection: sqlite3.Connection

    @classmethod
    def open(cls, reports: Path, leave: Path | None = None) -> Self:
        """Open the index of `reports` and bring it up to date.

        `leave` is the folder of a run that the caller reads himself: it is not read a second time for the index.
        Raises `OSError` if there is no such folder, `HarnessError` if `known.yaml` is broken.
        """
        connection, notes = index.open_index(reports, leave)
        return cls(reports, tuple(notes), connection)

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the file."""
        self.close()

    def runs(self) -> tuple[PastRun, ...]:
        """Every run that could be read, oldest first, those without a result among them."""
        return self.trend(None)

    def trend(self, last: int | None = LAST, before: Run | None = None) -> tuple[PastRun, ...]:
        """The last runs with their counts, oldest first; only those that began before `before`."""
        rows = self.connection.execute(
            f"SELECT {_RUN} FROM run WHERE problem IS NULL AND began < ? ORDER BY began DESC, folder DESC LIMIT ?",
            (_until(before), -1 if last is None else last),
        )
        return tuple(run for _, run in reversed([_past(row) for row in rows]))

    def strip(
        self, cells: Iterable[Cell | str] | None = None, last: int = LAST, before: Run | None = None
    ) -> dict[str, Strip]:
        """Verdicts of the cells (None: of all) in the last runs that know one of them, by cell name.

        Runs in which more than the kernels was different from `before` (without it: from the newest) are there and
        marked as unfair. A cell that no run knows has an empty strip.
        """
        names = self._names()
        wanted = dict.fromkeys(names.values() if cells is None else map(str, cells))
        known = json.dumps([number for number, name in names.items() if name in wanted])
        found = self._with_any(known, last, before)
        runs = tuple(run for _, run in found)
        place = {number: position for position, (number, _) in enumerate(found)}
        verdicts: dict[str, list[Verdict | None]] = {name: [None] * len(runs) for name in wanted}
        statuses: dict[str, list[Status | None]] = {name: [None] * len(runs) for name in wanted}
        meant, classed = self._terms(Verdict), self._terms(Status)
        rows = self.connection.execute(
            "SELECT run, cell, verdict, status FROM result WHERE run IN (SELECT value FROM json_each(?))"
            " AND cell IN (SELECT value FROM json_each(?))",
            (json.dumps(list(place)), known),
        )
        for run, cell, verdict, status in rows:
            name, position = names[cell], place[run]
            verdicts[name][position] = meant[verdict]
            statuses[name][position] = classed[status]
        fair, eras = _fairness(runs, before), _eras(runs)
        return {
            name: Strip(name, runs, fair, eras, tuple(verdicts[name]), tuple(statuses[name]))
            for name in wanted
        }

    def flips(
        self, cells: Iterable[Cell | str] | None = None, last: int = LAST, before: Run | None = None
    ) -> dict[str, Flips]:
        """How often each cell changed its mind in the last runs that know one of them."""
        return {name: flips.count(strip) for name, strip in self.strip(cells, last, before).items()}

    def first_seen(self, signature: str) -> Sighting | None:
        """Where a signature was seen; None if it never was."""
        return self.signatures(only=signature).get(signature)

    def signatures(self, before: Run | None = None, only: str | None = None) -> dict[str, Sighting]:
        """Every signature that was seen, by its text, newest first; `only` one."""
        rows = self.connection.execute(
            "SELECT text.bytes, MIN(began), MAX(began), COUNT(DISTINCT run), COUNT(DISTINCT cell),"
            " json_group_array(DISTINCT verdict) FROM result JOIN run ON run.no = run JOIN text ON text.no = signature"
            " WHERE signature IS NOT NULL AND began < ?1 AND (?2 IS NULL OR text.bytes = ?2)"
            " GROUP BY signature ORDER BY 2 DESC",
            (_until(before), None if only is None else stored(only)),
        )
        moments = {_moment(run): run for run in reversed(self.runs())}
        terms = self._terms(Verdict)
        return {
            (text := told(content)): Sighting(
                text,
                moments[first],
                moments[newest],
                runs,
                hit,
                frozenset(terms[n] for n in json.loads(meant)),
            )
            for content, first, newest, runs, hit, meant in rows
        }

    def _with_any(self, cells: str, last: int, before: Run | None) -> list[tuple[int, PastRun]]:
        rows = self.connection.execute(
            f"SELECT {_RUN} FROM run WHERE problem IS NULL AND began < ? AND EXISTS (SELECT 1 FROM result"
            " WHERE run = run.no AND cell IN (SELECT value FROM json_each(?)))"
            " ORDER BY began DESC, folder DESC LIMIT ?",
            (_until(before), cells, last),
        )
        return [_past(row) for row in rows][::-1]

    def broke(self, run: PastRun) -> tuple[PastRun | None, tuple[Change, ...]]:
        """The last run that had finished before and has most of its cells, and what fails now and did not fail then.

        The kinds of change are `regression` and `new failure` of `harness.report.compare`.
        """
        number = self._number(run)
        row = self.connection.execute(
            f"SELECT {_RUN} FROM run WHERE finished IS NOT NULL AND (began, folder) < (?, ?) AND 2 * ("
            "SELECT COUNT(*) FROM result AS was JOIN result AS now ON now.cell = was.cell AND now.run = ?3"
            " WHERE was.run = run.no) > (SELECT COUNT(*) FROM result WHERE run = ?3)"
            " ORDER BY began DESC, folder DESC LIMIT 1",
            (_moment(run), os.fsencode(run.folder), number),
        ).fetchone()
        if row is None:
            return None, ()
        earlier, previous = _past(row)
        rows = self.connection.execute(
            "SELECT cell.bytes, now.verdict, was.verdict, seen.bytes FROM result AS now"
            " LEFT JOIN result AS was ON was.run = ? AND was.cell = now.cell"
            " JOIN text AS cell ON cell.no = now.cell LEFT JOIN text AS seen ON seen.no = now.signature"
            " WHERE now.run = ? AND now.status = ?3 AND was.status IS NOT ?3 ORDER BY cell.bytes",
            (earlier, number, self._term(Status.FAIL)),
        )
        meant = self._terms(Verdict)
        return previous, tuple(
            Change(told(cell), meant[now], meant.get(was), None if seen is None else told(seen))
            for cell, now, was, seen in rows
        )

    def _number(self, run: PastRun) -> int | None:
        row = self.connection.execute("SELECT no FROM run WHERE folder = ?", (os.fsencode(run.folder),))
        return next((int(number) for (number,) in row), None)

    def _names(self) -> dict[int, str]:
        rows = self.connection.execute(
            "SELECT no, bytes FROM text WHERE no IN (SELECT DISTINCT cell FROM result)"
        )
        return {number: told(content) for number, content in rows}

    def _term(self, term: StrEnum) -> int | None:
        return next((number for number, found in self._terms(type(term)).items() if found is term), None)

    def _terms(self, kind: type[Term]) -> dict[int, Term]:
        rows = self.connection.execute(
            "SELECT no, bytes FROM text WHERE bytes IN (SELECT CAST(value AS BLOB) FROM json_each(?))",
            (json.dumps([str(term) for term in kind]),),
        )
        return {number: kind(told(content)) for number, content in rows}


def _past(row: Sequence[Any]) -> tuple[int, PastRun]:
    number, folder, name, moment, finished, planned, scope, headline, verdicts, statuses = row
    return number, PastRun(
        folder=os.fsdecode(folder),
        name=told(name),
        began=datetime.fromisoformat(moment),
        finished=datetime.fromisoformat(finished) if finished else None,
        planned=planned,
        scope=Scope(**{key: _frozen(value) for key, value in json.loads(scope).items()}),
        headline=told(headline),
        verdicts=_counted(Verdict, verdicts),
        statuses=_counted(Status, statuses),
    )


def _frozen(value: Any) -> Any:  # noqa: ANN401  what JSON can hold
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _counted(kind: type[Term], text: str) -> dict[Term, int]:
    counts = json.loads(text)
    return {term: counts.get(str(term), 0) for term in kind}


def _moment(run: PastRun) -> str:
    return index.moment(run.began)


def _until(before: Run | None) -> str:
    return _LATER if before is None else index.moment(began(before))


def _fairness(runs: tuple[PastRun, ...], before: Run | None) -> tuple[bool | None, ...]:
    if not runs:
        return ()
    measure = runs[-1].scope if before is None else Scope.of(before)
    return tuple(_is_fair(run.scope, measure) for run in runs)


def _is_fair(was: Scope, now: Scope) -> bool | None:
    if was.differences(now):
        return False
    return None if was.unknown(now) else True


def _eras(runs: tuple[PastRun, ...]) -> tuple[int, ...]:
    return tuple(accumulate((bool(a.scope.differences(b.scope)) for a, b in pairwise(runs)), initial=0))[
        : len(runs)
    ]
