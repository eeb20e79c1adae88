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
_MANY = 1000
"""So many cells are found faster among all results of a run than one by one."""
_Mark = tuple[Verdict | None, Status | None]
_NOTHING: _Mark = (None, None)
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
        """Verdicts of the cells in the last runs that know one of them, by cell name; None: of all cells of these runs.

        Runs in which more than the kernels was different from `before` (without it: from the newest) are there and
        marked as unfair. A cell that no run knows has an empty strip.
        """
        if cells is None:
            found = self._last_with(None, last, before)
            names = self._cells_of([number for number, _ in found])
            wanted = dict.fromkeys(names.values())
        else:
            wanted = dict.fromkeys(map(str, cells))
            names = self._known(wanted)
            found = self._last_with(list(names), last, before)
        runs = tuple(run for _, run in found)
        place = {number: position for position, (number, _) in enumerate(found)}
        marks: dict[str, list[_Mark]] = {name: [_NOTHING] * len(runs) for name in wanted}
        row_of = {number: marks[name] for number, name in names.items()}
        verdicts, statuses = self._terms(Verdict), self._terms(Status)
        told_by = {(v, s): (verdicts[v], statuses[s]) for v in verdicts for s in statuses}
        for run, cell, verdict, status in self._results(list(place), list(names)):
            if (row := row_of.get(cell)) is not None:
                row[place[run]] = told_by[verdict, status]
        fair, eras = _fairness(runs, before), _eras(runs)
        return {
            name: Strip(name, runs, fair, eras, tuple(v for v, _ in row), tuple(s for _, s in row))
            for name, row in marks.items()
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

    def _results(self, runs: list[int], cells: list[int]) -> Iterable[tuple[int, int, int, int]]:
        """Run, cell, verdict and status; of more cells than asked for if these are many, which is quicker."""
        one_of = "AND cell IN (SELECT value FROM json_each(?2))" if len(cells) < _MANY else ""
        return self.connection.execute(
            f"SELECT run, cell, verdict, status FROM result WHERE run IN (SELECT value FROM json_each(?1)) {one_of}",
            (json.dumps(runs), json.dumps(cells))[: 2 if one_of else 1],
        )

    def _last_with(self, cells: list[int] | None, last: int, before: Run | None) -> list[tuple[int, PastRun]]:
        """The last runs, oldest first, that have a result of one of the cells; None: any result."""
        one_of = "" if cells is None else "AND cell IN (SELECT value FROM json_each(?2))"
        rows = self.connection.execute(
            f"SELECT {_RUN} FROM run WHERE problem IS NULL AND began < ?1"
            f" AND EXISTS (SELECT 1 FROM result WHERE run = run.no {one_of})"
            " ORDER BY began DESC, folder DESC LIMIT ?3",
            (_until(before), json.dumps(cells), last),
        )
        return [_past(row) for row in rows][::-1]

    def broke(self, run: PastRun) -> tuple[PastRun | None, tuple[Change, ...]]:
        """The last run that had finished before and has most of its cells, and what fails now and did not fail then.

        The kinds of change are `regression` and `new failure` of `harness.report.compare`.
        """
        number = self._number(run)
        found = self._before(run, number)
        if found is None:
            return None, ()
        earlier, previous = found
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

    def _before(self, run: PastRun, number: int | None) -> tuple[int, PastRun] | None:
        rows = self.connection.execute(
            f"SELECT {_RUN} FROM run WHERE finished IS NOT NULL AND (began, folder) < (?, ?)"
            " ORDER BY began DESC, folder DESC",
            (_moment(run), os.fsencode(run.folder)),
        )
        shared = (
            "SELECT COUNT(*) FROM result AS now JOIN result AS was ON was.run = ? AND was.cell = now.cell"
            " WHERE now.run = ?"
        )
        # One after another, because the last one nearly always is it.
        for row in rows:
            earlier, previous = _past(row)
            if 2 * self.connection.execute(shared, (earlier, number)).fetchone()[0] > run.cells:
                return earlier, previous
        return None

    def _number(self, run: PastRun) -> int | None:
        row = self.connection.execute("SELECT no FROM run WHERE folder = ?", (os.fsencode(run.folder),))
        return next((int(number) for (number,) in row), None)

    def _known(self, cells: Iterable[str]) -> dict[int, str]:
        """The numbers of the cells that the index knows."""
        find = "SELECT no FROM text WHERE bytes = ?"
        found = ((self.connection.execute(find, (stored(cell),)).fetchone(), cell) for cell in cells)
        return {row[0]: cell for row, cell in found if row is not None}

    def _cells_of(self, runs: list[int]) -> dict[int, str]:
        rows = self.connection.execute(
            "SELECT no, bytes FROM text WHERE no IN (SELECT cell FROM result WHERE run IN"
            " (SELECT value FROM json_each(?)))",
            (json.dumps(runs),),
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
