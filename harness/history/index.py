"""`history.sqlite`: the ledgers of a reports folder, indexed. The run folders are the truth, the file a cache of them.

A file of another version, or one that is damaged, is dropped and made again. Text is stored as bytes, because a guest
can cause what is no Unicode; every text is stored once and known by a number.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from harness.history import reading
from harness.history.reading import UNREADABLE, Reading
from harness.report.sanitize import visible
from harness.verdict.known import KnownBreakages, load

VERSION = 1
FILE = "history.sqlite"
_PATIENCE = 60
"""Seconds to wait for another process that writes the index."""
_SCHEMA = """
CREATE TABLE text (no INTEGER PRIMARY KEY, bytes BLOB NOT NULL UNIQUE);
CREATE TABLE run (
  no INTEGER PRIMARY KEY, folder BLOB NOT NULL UNIQUE, name BLOB, began TEXT, finished TEXT, planned INTEGER,
  scope TEXT, headline BLOB, verdicts TEXT, statuses TEXT, fingerprint TEXT NOT NULL,
  knowledge TEXT NOT NULL, problem BLOB
);
CREATE TABLE result (
  run INTEGER NOT NULL, cell INTEGER NOT NULL, verdict INTEGER NOT NULL, status INTEGER NOT NULL,
  outcome INTEGER NOT NULL, phase INTEGER NOT NULL, signature INTEGER, seconds REAL, image_bytes INTEGER,
  PRIMARY KEY (run, cell)
) WITHOUT ROWID;
CREATE INDEX seen ON result (signature, run, cell, verdict) WHERE signature IS NOT NULL;
"""
_log = logging.getLogger(__name__)


def stored(text: str) -> bytes:
    """A text as the index keeps it; any text of Python's has one such form."""
    return text.encode("utf-8", "surrogatepass")


def told(content: bytes) -> str:
    """The text again."""
    return content.decode("utf-8", "surrogatepass")


def moment(when: datetime) -> str:
    """A moment as the index keeps it, UTC; the texts sort as the moments do."""
    return when.astimezone(UTC).isoformat(timespec="microseconds")


def open_index(reports: Path, leave: Path | None = None) -> tuple[sqlite3.Connection, list[str]]:
    """The index, up to date with the folder, and in words what was not as it should be.

    Only runs are read that changed, or that were judged by other knowledge than today's. `leave` is a run's folder
    that is not read now. Where no file can be had the index lives in memory, which costs reading all runs.
    """
    path = reports / FILE
    try:
        return _current(path, reports, leave, [])
    except sqlite3.OperationalError as error:  # no right to write, no space, somebody else is at it
        words = f"{path} cannot be used ({error}): all runs were read again, and the index was not kept"
        return _current(":memory:", reports, leave, [words])
    except sqlite3.DatabaseError as error:
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        return _current(path, reports, leave, [f"{path} was damaged ({error}) and was made again"])


def _current(
    path: Path | str, reports: Path, leave: Path | None, words: list[str]
) -> tuple[sqlite3.Connection, list[str]]:
    connection = _opened(path)
    try:
        return connection, [*words, *_refresh(connection, reports, leave)]
    except BaseException:
        connection.close()
        raise


def _opened(path: Path | str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        with writing(connection):
            if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                _make(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _make(connection: sqlite3.Connection) -> None:
    old = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    for (name,) in old.fetchall():
        connection.execute(f'DROP TABLE "{name}"')
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction, whole or not at all; other processes wait."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _refresh(connection: sqlite3.Connection, reports: Path, leave: Path | None) -> list[str]:
    rules, indexed = reading.knowledge(), _indexed(connection)
    present = {d.name: d for d in sorted(reports.iterdir()) if d.is_dir() and reading.is_run(d)}
    known = _once(load)
    for name, directory in present.items():
        mark = (reading.fingerprint(directory), rules)
        if indexed.get(name) == mark:
            continue
        if leave is not None and directory.resolve() == leave.resolve():
            with writing(connection):
                _drop(connection, name)
            continue
        _log.info("history: reading %s", visible(name))
        _replace(connection, name, mark, _attempted(directory, known()))
    return [*_forget(connection, indexed.keys() - present.keys(), reports), *_problems(connection, reports)]


def _once(make: Callable[[], KnownBreakages]) -> Callable[[], KnownBreakages]:
    made: list[KnownBreakages] = []

    def get() -> KnownBreakages:
        if not made:
            made.append(make())
        return made[0]

    return get


def _indexed(connection: sqlite3.Connection) -> dict[str, tuple[str, str]]:
    rows = connection.execute("SELECT folder, fingerprint, knowledge FROM run")
    return {os.fsdecode(folder): (mark, rules) for folder, mark, rules in rows}


def _attempted(directory: Path, known: KnownBreakages) -> Reading | str:
    try:
        return reading.read(directory, known)
    except UNREADABLE as error:
        return f"{type(error).__name__}: {error}"


def _replace(
    connection: sqlite3.Connection, folder: str, mark: tuple[str, str], found: Reading | str
) -> None:
    with writing(connection):
        _drop(connection, folder)
        run = _insert_run(connection, folder, mark, found)
        if isinstance(found, Reading):
            _insert_results(connection, run, found)


def _insert_run(
    connection: sqlite3.Connection, folder: str, mark: tuple[str, str], found: Reading | str
) -> int | None:
    values: tuple[object, ...] = (None,) * 8
    if isinstance(found, Reading):
        values = (
            stored(found.name),
            moment(found.began),
            found.finished and moment(found.finished),
            found.planned,
            json.dumps(asdict(found.scope)),
            stored(found.headline),
            json.dumps(Counter(str(result.verdict) for result in found.results)),
            json.dumps(Counter(str(result.status) for result in found.results)),
        )
    problem = stored(found) if isinstance(found, str) else None
    return connection.execute(
        "INSERT INTO run (folder, name, began, finished, planned, scope, headline, verdicts, statuses, fingerprint,"
        " knowledge, problem) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (os.fsencode(folder), *values, *mark, problem),
    ).lastrowid


def _insert_results(connection: sqlite3.Connection, run: int | None, found: Reading) -> None:
    named = (
        (
            r.cell,
            str(r.verdict),
            str(r.status),
            str(r.outcome),
            str(r.phase),
            *([r.signature] if r.signature else []),
        )
        for r in found.results
    )
    number = _numbers(connection, {text for texts in named for text in texts})
    connection.executemany(
        # Two cells have one name if there is a slash in a scenario's.
        "INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                run,
                number[r.cell],
                number[r.verdict],
                number[r.status],
                number[r.outcome],
                number[r.phase],
                number[r.signature] if r.signature else None,
                r.seconds,
                r.image_bytes,
            )
            for r in found.results
        ),
    )


def _numbers(connection: sqlite3.Connection, texts: Iterable[str]) -> dict[str, int]:
    wanted = sorted(texts)
    connection.executemany("INSERT OR IGNORE INTO text (bytes) VALUES (?)", ((stored(t),) for t in wanted))
    find = "SELECT no FROM text WHERE bytes = ?"
    return {text: connection.execute(find, (stored(text),)).fetchone()[0] for text in wanted}


def _drop(connection: sqlite3.Connection, folder: str) -> int:
    name = (os.fsencode(folder),)
    gone = connection.execute("DELETE FROM result WHERE run = (SELECT no FROM run WHERE folder = ?)", name)
    connection.execute("DELETE FROM run WHERE folder = ?", name)
    return gone.rowcount


def _forget(connection: sqlite3.Connection, folders: Iterable[str], reports: Path) -> Iterator[str]:
    for folder in sorted(folders):
        with writing(connection):
            results = _drop(connection, folder)
        yield f"{reports / visible(folder)} is gone, and with it {results} results from the history"


def _problems(connection: sqlite3.Connection, reports: Path) -> Iterator[str]:
    rows = connection.execute("SELECT folder, problem FROM run WHERE problem IS NOT NULL ORDER BY folder")
    for folder, problem in rows:
        yield f"{reports / visible(os.fsdecode(folder))} is left out of the history: {visible(told(problem))}"
