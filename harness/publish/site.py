"""`kmatrix publish`: a site brought up to date with a reports folder, whole at every moment, thinned by a rule."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock

from harness.errors import ConfigError
from harness.history import History
from harness.history.reading import is_run
from harness.publish import feeds, pages, record
from harness.publish.folder import LIST, Folder, logs_of, reports_of
from harness.publish.record import Entry, Record
from harness.publish.retention import Kept, Rule, keep
from harness.report.sanitize import visible
from harness.report.write import write_reports

RUNS = "runs"
INDEX = "index.html"
BADGE = "badge.svg"
_LATEST = "latest/index.html"
_MISSING = "404.html"
_LOCK = ".kmatrix-lock"
_PATIENCE = 600
"""Seconds to wait for another publisher."""


@dataclass(frozen=True)
class Wishes:
    """How a site is to be."""

    rule: Rule = field(default_factory=Rule)
    keep: tuple[str, ...] = ()
    """Runs, by folder or id, that are marked from now on."""
    release: tuple[str, ...] = ()
    """Runs whose mark is taken away."""
    title: str = "kmatrix"
    url: str | None = None
    """Where the site will be; feeds have absolute links then."""


@dataclass(frozen=True)
class Plan:
    """What is to be done with which runs, by folder, newest first."""

    record: Record
    publish: tuple[str, ...]
    """Runs of the reports folder that belong into the site."""
    drop: tuple[str, ...]
    """Runs of the site that are thinned."""
    drop_logs: tuple[str, ...]
    """Runs of the site whose logs are."""
    notes: tuple[str, ...]
    """What was left out and why; safe to print."""


@dataclass(frozen=True)
class Published:
    """What was done."""

    plan: Plan
    written: int
    """Files that were new or changed."""
    notes: tuple[str, ...]


def plan(reports: Path, site: Path, wishes: Wishes, now: datetime) -> Plan:
    """What `publish` would do; writes nothing but the index of `reports`.

    Raises `ConfigError` if the folders or the wishes are of no use, `HarnessError` if the site's record is damaged.
    """
    _check(reports, site, wishes)
    with History.open(reports) as history:
        notes, found = list(history.notes), record.of(history)
        going_on = [run.folder for run in history.runs() if run.finished is None]
    notes += [f"{reports / visible(name)} has not finished and is not published" for name in going_on]
    known = _marked(found.joined(_old(site)), wishes)
    here = {entry.folder for entry in found.runs}
    there = {entry.folder for entry in known.runs if _list_of(site, entry.folder).is_file()}
    ages = {entry.folder: entry.when for entry in known.runs if entry.folder in here | there}
    kept = keep(ages, wishes.rule, now, (entry.folder for entry in known.runs if entry.kept))
    runs = tuple(_as_left(entry, kept, site, here) for entry in known.runs)
    return Plan(
        record=replace(known, runs=runs),
        publish=_in_order(runs, kept.pages & here),
        drop=_in_order(runs, there - kept.pages),
        drop_logs=_in_order(
            runs, {name for name in there & kept.pages - kept.logs if _folder(site, name).logs}
        ),
        notes=tuple(notes),
    )


def publish(reports: Path, site: Path, wishes: Wishes, now: datetime) -> Published:
    """Bring a site up to date. Only files that kmatrix put there are ever replaced or removed.

    Raises what `plan` raises, and `OSError` if the disk does not take the files.
    """
    _check(reports, site, wishes)
    site.mkdir(parents=True, exist_ok=True)
    with FileLock(site / _LOCK, timeout=_PATIENCE):
        todo = plan(reports, site, wishes, now)
        logged = {entry.folder for entry in todo.record.runs if entry.logs}
        written = sum(_copy_run(reports / n, _folder(site, n), logs=n in logged) for n in todo.publish)
        written += _write_pages(site, todo.record, wishes)
        # only now does no page lead to them
        notes = [*todo.notes, *_thin(site, todo)]
    return Published(todo, written, tuple(notes))


def _check(reports: Path, site: Path, wishes: Wishes) -> None:
    if not reports.is_dir():
        raise ConfigError(f"there are no runs: {reports} is no folder", hint="kmatrix run")
    inside = reports.resolve().is_relative_to(site.resolve())
    if inside or any(is_run(directory) for directory in (site.resolve(), *site.resolve().parents)):
        raise ConfigError(f"{site} holds runs of its own", hint="publish into a folder of its own")
    if wishes.url is not None and (
        urlsplit(wishes.url).scheme not in ("http", "https") or not urlsplit(wishes.url).netloc
    ):
        raise ConfigError(
            f"{wishes.url!r} is no address of a site", hint="--url https://example.org/kmatrix/"
        )


def _old(site: Path) -> Record:
    path = site / record.FILE
    return Record.from_json(path.read_text("utf-8")) if path.is_file() else Record()


def _marked(found: Record, wishes: Wishes) -> Record:
    for name in (*wishes.keep, *wishes.release):
        if not any(name in (entry.folder, entry.name) for entry in found.runs):
            raise ConfigError(f"there is no finished run {name!r}", hint="ls reports/")

    def mark(entry: Entry) -> bool:
        names = {entry.folder, entry.name}
        return (entry.kept and not names & set(wishes.release)) or bool(names & set(wishes.keep))

    return replace(found, runs=tuple(replace(entry, kept=mark(entry)) for entry in found.runs))


def _as_left(entry: Entry, kept: Kept, site: Path, here: set[str]) -> Entry:
    """With what the site will have of the run; logs that are no longer in the reports folder cannot come back."""
    logs = entry.folder in kept.logs and (entry.folder in here or bool(_folder(site, entry.folder).logs))
    return replace(entry, pages=entry.folder in kept.pages, logs=logs)


def _in_order(runs: Iterable[Entry], names: Iterable[str]) -> tuple[str, ...]:
    wanted = set(names)
    return tuple(entry.folder for entry in runs if entry.folder in wanted)


def _folder(site: Path, name: str) -> Folder:
    return Folder(site / RUNS / name)


def _list_of(site: Path, name: str) -> Path:
    return _folder(site, name).path / LIST


def _copy_run(run: Path, folder: Folder, *, logs: bool) -> int:
    if not (run / INDEX).is_file():
        if INDEX in folder.owned:
            return 0  # only the ledger is still here, for the history: the site has more than could be made of it
        write_reports(run)
    wanted = [*(logs_of(run) if logs else ()), *reports_of(run)]
    folder.claim(wanted)
    copied = sum(folder.copy(name, run / name) for name in wanted)
    folder.remove(folder.owned - set(wanted))
    return copied


def _write_pages(site: Path, found: Record, wishes: Wishes) -> int:
    shown = [entry for entry in found.runs if entry.pages]
    badge = _badge(site, shown)
    channel = feeds.Site(uuid.UUID(found.site), wishes.title, wishes.url and wishes.url.rstrip("/") + "/")
    content: dict[str, str | bytes] = {
        record.FILE: found.as_json(),
        feeds.ATOM_FILE: feeds.atom(channel, found.runs),
        feeds.JSON_FILE: feeds.json_feed(channel, found.runs),
        _MISSING: pages.missing(),
        INDEX: pages.index(wishes.title, found, BADGE if badge else None),
    }
    if badge:
        content[BADGE] = badge
    if shown:
        content[_LATEST] = pages.forward(f"../{feeds.page_of(shown[0])}")
    folder = Folder(site)
    folder.claim(content)
    written = sum(
        folder.write(name, text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace"))
        for name, text in content.items()
    )
    folder.remove(folder.owned - set(content))
    return written


def _badge(site: Path, shown: list[Entry]) -> bytes | None:
    """The newest run's."""
    path = _folder(site, shown[0].folder).path / BADGE if shown else None
    return path.read_bytes() if path and path.is_file() else None


def _thin(site: Path, todo: Plan) -> Iterable[str]:
    for name in todo.drop_logs:
        folder = _folder(site, name)
        folder.remove(folder.logs)
    for name in todo.drop:
        folder = _folder(site, name)
        if not folder.clear():
            yield f"{visible(str(folder.path))} holds files that kmatrix did not put there; they stay"
