"""The site's folder: files put there whole, found again by a list, and nothing else ever touched."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError
from harness.matrix import ledger
from harness.report.rundir import is_inside
from harness.report.sanitize import visible
from harness.report.verdicts import REMEDIES

LIST = "kmatrix-files.json"
"""In a folder of the site: what kmatrix put there."""
_TEMPORARY = ".kmatrix-tmp."
_LOGS = ("logs", REMEDIES, ledger.FILE)
_DRAFTS = "upstream"
"""Mails that nobody has read yet are not published."""
_PAGES = frozenset({".css", ".csv", ".html", ".js", ".json", ".ktap", ".md", ".png", ".svg", ".txt", ".xml"})
_TEXT = frozenset({".json", ".jsonl", ".log", ".out", ".txt"})
"""Logs are a guest's words: no web server must take one for a page."""


@dataclass(frozen=True)
class Folder:
    """A folder whose files are kmatrix's as far as its list says so."""

    path: Path

    @property
    def owned(self) -> frozenset[str]:
        """Paths, relative to it, of what kmatrix put there; a list that is damaged names nothing."""
        try:
            names = json.loads((self.path / LIST).read_text("utf-8"))
        except (OSError, ValueError):
            return frozenset()
        listed = names if isinstance(names, list) else []
        return frozenset(n for n in listed if isinstance(n, str) and is_inside(n) and "\0" not in n)

    @property
    def logs(self) -> frozenset[str]:
        """Of these a run's ledger and logs."""
        return frozenset(name for name in self.owned if _is_log(name))

    def claim(self, names: Iterable[str]) -> None:
        """Write down that these files are kmatrix's, before they are written, so that none is ever lost track of.

        Raises `ConfigError` if one is there that is not.
        """
        owned = self.owned
        wanted = owned | set(names)
        for name in sorted(wanted - owned):
            if os.path.lexists(self.path / name):
                raise ConfigError(
                    f"{self.path / visible(name)} is there, and kmatrix did not put it there",
                    hint="publish into a folder of its own",
                )
        if wanted != owned:
            self._list(wanted)

    def write(self, name: str, content: bytes) -> bool:
        """Put a claimed file there, whole; False if that is what it holds already."""
        path = self.path / name
        if path.is_file() and path.read_bytes() == content:
            return False
        self._make_room(path)
        with _whole(path) as temporary:
            temporary.write_bytes(content)
        return True

    def copy(self, name: str, source: Path) -> bool:
        """Copy a claimed file there, whole; False if size and time say that it is the same already."""
        path, found = self.path / name, source.stat()
        if path.is_file():
            here = path.stat()
            if (here.st_size, here.st_mtime_ns) == (found.st_size, found.st_mtime_ns):
                return False
        self._make_room(path)
        with _whole(path) as temporary:
            shutil.copyfile(source, temporary, follow_symlinks=False)
            os.utime(temporary, ns=(found.st_atime_ns, found.st_mtime_ns))
        return True

    def remove(self, names: Iterable[str]) -> None:
        """Remove files that the list names, and folders that are empty then; anything else stays."""
        gone = self.owned & set(names)
        for name in sorted(gone, reverse=True):
            path = self.path / name
            if self._is_within(path.parent) and (path.is_symlink() or path.is_file()):
                path.unlink(missing_ok=True)
                self._prune(path.parent)
        if gone:
            self._list(self.owned - gone)

    def clear(self) -> bool:
        """Remove all that the list names, and the folder; False if it holds something else and stays."""
        self.remove(self.owned)
        _sweep(self.path)
        (self.path / LIST).unlink(missing_ok=True)
        try:
            self.path.rmdir()
        except OSError:
            return not self.path.exists()
        return True

    def _make_room(self, path: Path) -> None:
        if not self._is_within(path.parent):
            raise ConfigError(f"{visible(str(path))} would leave {self.path}: a link stands in its way")
        path.parent.mkdir(parents=True, exist_ok=True)

    def _is_within(self, directory: Path) -> bool:
        return directory.resolve().is_relative_to(self.path.resolve())

    def _prune(self, directory: Path) -> None:
        while directory != self.path and directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()
            directory = directory.parent

    def _list(self, names: Iterable[str]) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        with _whole(self.path / LIST) as temporary:
            temporary.write_text(json.dumps(sorted(names)))


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place when it is written; if that fails nothing is left of it."""
    descriptor, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _sweep(directory: Path) -> None:
    """Remove what a publisher that was killed left half-written."""
    for path in directory.rglob(f"{_TEMPORARY}*"):
        path.unlink(missing_ok=True)


def reports_of(run: Path) -> Iterator[str]:
    """The files of a run's folder that are its reports, relative to it."""
    return (name for name in _files(run) if not _is_log(name) and Path(name).suffix in _PAGES)


def logs_of(run: Path) -> Iterator[str]:
    """The run's ledger and its logs, relative to its folder; only what a web server takes for text."""
    return (name for name in _files(run) if _is_log(name) and Path(name).suffix in _TEXT)


def _is_log(name: str) -> bool:
    return Path(name).parts[0] in _LOGS


def _files(run: Path) -> Iterator[str]:
    """Regular files that are not hidden, by no link."""
    for directory, folders, names in os.walk(run):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        here = Path(directory)
        if here == run and _DRAFTS in folders:
            folders.remove(_DRAFTS)
        for name in sorted(names):
            path = here / name
            if not name.startswith(".") and stat.S_ISREG(path.lstat().st_mode):
                yield str(path.relative_to(run))
