"""What was fetched or built once: directories named by their content's key, complete or absent.

An entry is made in a temporary directory beside its final place and renamed into it, so a half-finished download
or image is never taken for a whole one, and two runs on one cache do not harm each other.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock

from harness.errors import HostError


def default_root() -> Path:
    """`$KMATRIX_CACHE`, or the user's cache directory."""
    return Path(os.environ.get("KMATRIX_CACHE") or platformdirs.user_cache_dir("kmatrix"))


def key_of(**parts: Any) -> str:  # noqa: ANN401  any JSON value can be part of a key
    """A short name for a set of inputs: the same inputs give the same key, in any order."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Cache:
    """The cache directory; `kind` groups entries (`kernels`, `images`, `checkpoints`, ...)."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or default_root()

    def path(self, kind: str, key: str) -> Path:
        """Where the entry is, or would be."""
        return self.root / kind / key

    def lock(self, name: str) -> FileLock:
        """A lock between processes, for work on shared state that is not an entry."""
        directory = self.root / "locks"
        directory.mkdir(parents=True, exist_ok=True)
        return FileLock(directory / f"{name}.lock")

    def entry(self, kind: str, key: str, make: Callable[[Path], None]) -> Path:
        """The entry's directory, made by `make(directory)` if it is not there yet.

        Whoever comes second waits and finds it made. If `make` raises, nothing is left behind.
        """
        final = self.path(kind, key)
        if final.is_dir():
            return final
        with self.lock(f"{kind}-{key}"):
            if final.is_dir():
                return final
            final.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=f".{key}.", dir=final.parent))
            try:
                make(temporary)
                temporary.chmod(0o755)
                temporary.rename(final)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
        return final

    def drop(self, kind: str, key: str) -> None:
        """Forget an entry; a reader that holds open files is not disturbed."""
        with self.lock(f"{kind}-{key}"):
            path = self.path(kind, key)
            if path.exists():
                doomed = Path(tempfile.mkdtemp(prefix=".dropped.", dir=path.parent))
                path.rename(doomed / "entry")
                shutil.rmtree(doomed, ignore_errors=True)

    def require(self, size: int, what: str) -> None:
        """Raise `HostError` unless `size` bytes are free where the cache lives."""
        self.root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.root).free
        if free < size:
            raise HostError(
                f"{what} needs {size >> 20} MiB in {self.root}, which has {free >> 20} MiB free",
                hint="free some space, or set KMATRIX_CACHE to a directory on a larger disk",
            )
