"""A directory with one of everything, and what a tar carries of it, for tests."""

from __future__ import annotations

import os
import stat
from pathlib import Path

ROOT = os.geteuid() == 0
LONG = "long" * 30
"""A name that does not fit into a header."""


def a_tree(place: Path) -> None:
    """One of everything that a workload leaves below `/work`, sizes around a block and the program's buffer."""
    (place / "a" / LONG / LONG).mkdir(parents=True)
    (place / "a" / ".. not up").mkdir()
    for size in (0, 1, 511, 512, 513, (1 << 18) - 512, 1 << 18, (1 << 18) + 1, 1_000_000):
        (place / "a" / f"file-{size}").write_bytes(os.urandom(size))
    (place / "a" / LONG / LONG / "deep").write_text("deep")
    (place / "a" / "Umläute \n").write_text("ä")
    (place / "linked").write_text("twice")
    os.link(place / "linked", place / "a" / "again")
    (place / "symlink").symlink_to("a/" + LONG)
    (place / "dangling").symlink_to(f"/nowhere/{LONG}/{LONG}")
    os.mkfifo(place / "fifo", 0o640)
    (place / "a" / "file-1").chmod(0o6751)
    (place / "a").chmod(0o1777)
    (place / "a" / LONG).chmod(0o500)
    if ROOT:
        os.chown(place / "a" / "file-511", 12345, 3_000_000)
        os.chown(place / "symlink", 7, 8, follow_symlinks=False)
        os.chown(place / "a" / "file-1", 18943, 58467)
        (place / "a" / "file-1").chmod(0o6751)
        os.mknod(place / "device", stat.S_IFCHR | 0o620, os.makedev(10, 229))
    for number, path in enumerate(sorted(place.rglob("*"), reverse=True)):
        os.utime(path, (5, 1_600_000_000 + number), follow_symlinks=False)


def told(place: Path) -> dict[str, tuple[object, ...]]:
    """All that a tar carries of each file."""
    found = {}
    for path in place.rglob("*"):
        info = path.lstat()
        links = info.st_nlink if path.is_file() else 0
        content = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(place))] = (
            info.st_mode, info.st_uid, info.st_gid, int(info.st_mtime), info.st_rdev, links, content,
        )  # fmt: skip
    return found
