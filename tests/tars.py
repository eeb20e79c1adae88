"""Small tars in the shape of a root, for tests."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path


def make_tar(path: Path, files: dict[str, str], links: dict[str, str] | None = None) -> Path:
    """A tar of regular files (name: text) and symlinks (name: target)."""
    with tarfile.open(path, "w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(f"./{name}")
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return path
