"""What the host's compiler needs of a userland: headers, crt files and libraries out of the same root."""

from __future__ import annotations

import re
import tarfile
from fnmatch import fnmatchcase
from pathlib import Path

_TRIPLET = "x86_64-linux-gnu"
WANTED = (
    "usr/include/*",
    # since 6.19 linux-libc-dev keeps <asm/*.h> here, with symlinks to it
    "usr/lib/linux/uapi/x86/*",
    # not their subdirectories: fnmatch's * crosses slashes, so the depth is checked as well
    f"usr/lib/{_TRIPLET}/*.so*",
    f"usr/lib/{_TRIPLET}/*.o",
    f"usr/lib/{_TRIPLET}/lib*_nonshared.a",
    f"usr/lib/{_TRIPLET}/libpthread.a",
    f"usr/lib/{_TRIPLET}/librt.a",
    f"usr/lib/{_TRIPLET}/libdl.a",
    f"usr/lib/{_TRIPLET}/libutil.a",
    "usr/lib64/ld-linux*",
    # asked for its version with the userland's own loader
    "usr/sbin/criu",
)
"""Globs of the files in a sysroot, part of a root's key."""
# since 6.19 linux-libc-dev has the headers of every architecture
_FOREIGN = re.compile(rf"usr/include/(?!{_TRIPLET}/)[^/]+-linux-gnu")
_LIBRARIES = f"usr/lib/{_TRIPLET}"


def wanted(path: str) -> bool:
    """Whether a root's file, named without `./`, belongs into the sysroot."""
    if not any(fnmatchcase(path, pattern) for pattern in WANTED) or _FOREIGN.match(path):
        return False
    return not path.startswith(f"{_LIBRARIES}/") or path.count("/") == _LIBRARIES.count("/") + 1


def extract(tar: Path, directory: Path) -> None:
    """Unpack the sysroot of a root's tar into `directory`, which must not exist."""
    directory.mkdir()
    with tarfile.open(tar) as archive:
        for member in archive:
            path = member.name.removeprefix("./")
            if not wanted(path):
                continue
            target = directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if member.issym():
                target.symlink_to(_inside(member.linkname, path))
            elif member.isfile():
                source = archive.extractfile(member)
                assert source is not None
                with source, target.open("wb") as copy:
                    copy.write(source.read())
                target.chmod(0o755 if member.mode & 0o111 else 0o644)
    # libc.so is a linker script that names /lib/x86_64-linux-gnu/libc.so.6; ld looks below the sysroot
    (directory / "lib").symlink_to("usr/lib")
    (directory / "lib64").symlink_to("usr/lib64")


def loader(directory: Path) -> Path:
    """The userland's own dynamic loader."""
    return directory / "lib64" / "ld-linux-x86-64.so.2"


def libraries(directory: Path) -> Path:
    """The directory that holds the userland's shared libraries."""
    return directory / _LIBRARIES


def _inside(target: str, path: str) -> str:
    """A symlink's target; an absolute one would leave the sysroot."""
    if not target.startswith("/"):
        return target
    return "../" * path.count("/") + target.lstrip("/")
