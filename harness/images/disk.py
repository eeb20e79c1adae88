"""An ext4 disk from a list of files: no root, no mount, no user namespace, and the same bytes every time.

`mke2fs -d` would copy the change times of files that were unpacked just now, in the order in which the host's
directories happen to list them. So mke2fs makes an empty file system, and debugfs is told each file in order.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path

from harness.archive.tool import no_space, run, surviving_full_disk
from harness.errors import HostError, ImageError

_BLOCK = 4096
_SPARE_INODES = 32768
_UUID = "6b6d6174-7269-4800-8000-000000000001"
_HASH_SEED = "6b6d6174-7269-4800-8000-000000000002"
# What Linux 3.11 knows: no metadata_csum_seed (4.4), no orphan_file (5.15). No journal: no guest is repaired.
_FEATURES = "none,filetype,extents,sparse_super,large_file,huge_file,flex_bg,dir_nlink,extra_isize,dir_index"


class Kind(Enum):
    """What a node is."""

    DIRECTORY = "directory"
    FILE = "file"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"


@dataclass(frozen=True)
class Node:
    """One name on the disk. `path` has no leading slash; `target` is a symlink's or a hard link's."""

    path: str
    kind: Kind
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: int | None = None
    source: Path | None = None
    target: str = ""
    size: int = 0


def read_tar(tar: Path, staging: Path, *, without: Iterable[str]) -> Iterator[Node]:
    """The nodes of a tar, except those that match a glob of `without`; files' bytes are put into `staging`.

    Device nodes are left out: the guest's /dev is a devtmpfs.
    """
    patterns = tuple(without)
    with tarfile.open(tar) as archive:
        for number, member in enumerate(archive):
            path = member.name.removeprefix("./").rstrip("/")
            if path in ("", ".") or any(fnmatchcase(path, pattern) for pattern in patterns):
                continue
            kind = _kind(member)
            if kind is None:
                continue
            source = staging / f"{number:06}" if kind is Kind.FILE else None
            if source is not None:
                data = archive.extractfile(member)
                assert data is not None
                source.write_bytes(data.read())
            yield Node(
                path=path,
                kind=kind,
                mode=member.mode,
                uid=member.uid,
                gid=member.gid,
                mtime=int(member.mtime),
                source=source,
                target=member.linkname.removeprefix("./") if kind is Kind.HARDLINK else member.linkname,
                size=member.size if kind is Kind.FILE else 0,
            )


def overlay(nodes: Iterable[Node], added: Iterable[Node]) -> list[Node]:
    """All nodes, those `added` in place of others of the same path, with the directories they need."""
    tree = {node.path: node for node in nodes}
    for node in added:
        for parent in reversed(Path(node.path).parents[:-1] if "/" in node.path else []):
            tree.setdefault(str(parent), Node(str(parent), Kind.DIRECTORY, 0o755))
        tree[node.path] = node
    return [tree[path] for path in sorted(tree)]


def size_for(nodes: Iterable[Node], free: int) -> int:
    """Bytes of a disk that holds `nodes` and has `free` bytes left, in whole MiB."""
    blocks = sum(-(-node.size // _BLOCK) + 1 for node in nodes)
    # a sixty-fourth for inode tables and bitmaps beyond what the spare inodes take
    used = blocks * _BLOCK + _SPARE_INODES * 256
    return -(-(used + free) * 65 // 64 // (1 << 20)) * (1 << 20)


def commands(nodes: Iterable[Node], epoch: int) -> Iterator[str]:
    """What debugfs is told. Owners are root and times are `epoch` unless a node says otherwise."""
    links: dict[str, int] = {}
    here = ""
    for node in sorted(nodes, key=lambda node: (node.kind is Kind.HARDLINK, node.path)):
        parent, _, name = node.path.rpartition("/")
        if parent != here:
            # debugfs takes the parent of "/opt" for the current directory, so it is told bare names only
            yield f"cd {_quoted('/' + parent)}"
            here = parent
        if node.kind is Kind.HARDLINK:
            links[node.target] = links.get(node.target, 1) + 1
            target = _quoted(f"/{node.target}")
            yield f"ln {target} {_quoted(name)}"
            yield f"set_inode_field {target} links_count {links[node.target]}"
            continue
        yield _creation(node, name)
        yield from _attributes(node, epoch)


def make_disk(nodes: list[Node], disk: Path, *, free: int, epoch: int) -> None:
    """Write a sparse ext4 image of `nodes` with `free` bytes to spare and no time in it after `epoch`.

    Raises `HostError` if the host's disk is full, `ImageError` if the file system is not sound.
    """
    size = size_for(nodes, free)
    script = disk.with_suffix(".debugfs")
    # the host's own defaults must not decide what is on the disk
    environment = {"E2FSPROGS_FAKE_TIME": str(epoch), "MKE2FS_CONFIG": "/dev/null"}
    with surviving_full_disk(disk):
        script.write_text("".join(f"{line}\n" for line in commands(nodes, epoch)))
        disk.unlink(missing_ok=True)
        run(mke2fs_argv(disk, size, len(nodes) + _SPARE_INODES), environment=environment)
        _debugfs(script, disk, environment)
    run([_program("e2fsck"), "-fn", str(disk)], environment=environment)
    script.unlink()


def mke2fs_argv(disk: Path, size: int, inodes: int) -> list[str]:
    """The command that makes an empty file system of `size` bytes, always the same one."""
    extended = f"hash_seed={_HASH_SEED},root_owner=0:0,lazy_itable_init=0,nodiscard"
    return [
        *("mke2fs", "-q", "-F", "-O", _FEATURES, "-b", str(_BLOCK), "-I", "256", "-m", "0"),
        *("-N", str(inodes), "-U", _UUID, "-L", "kmatrix", "-E", extended),
        str(disk),
        f"{size >> 10}k",
    ]


def _debugfs(script: Path, disk: Path, environment: dict[str, str]) -> None:
    # it ends with 0 whatever happened; anything but its banner on standard error is a complaint
    argv = [_program("debugfs"), "-w", "-f", str(script), str(disk)]
    done = subprocess.run(
        argv,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    complaints = [line for line in done.stderr.splitlines() if line and not line.startswith("debugfs 1.")]
    if any(os.strerror(errno.ENOSPC) in line for line in complaints):
        raise no_space(disk)
    if complaints:
        raise ImageError(f"debugfs cannot fill {disk.name}: {complaints[0]}")


def _program(name: str) -> str:
    """The path of one of e2fsprogs' programs, which an ordinary user's PATH does not reach."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if found is None:
        raise HostError(f"{name} is not installed", hint="sudo apt-get install e2fsprogs")
    return found


def _creation(node: Node, name: str) -> str:
    if node.kind is Kind.DIRECTORY:
        return f"mkdir {_quoted(name)}"
    if node.kind is Kind.SYMLINK:
        return f"symlink {_quoted(name)} {_quoted(node.target)}"
    return f"write {_quoted(str(node.source))} {_quoted(name)}"


def _attributes(node: Node, epoch: int) -> Iterator[str]:
    path = _quoted(f"/{node.path}")
    kind = {Kind.DIRECTORY: 0o040000, Kind.FILE: 0o100000, Kind.SYMLINK: 0o120000}[node.kind]
    if node.kind is not Kind.SYMLINK:
        yield f"set_inode_field {path} mode 0{kind | node.mode:o}"
    for field, number in (("uid", node.uid), ("gid", node.gid)):
        if number:
            yield f"set_inode_field {path} {field} {number}"
    if node.mtime is not None and node.mtime < epoch:
        yield f"set_inode_field {path} mtime @{node.mtime}"


def _kind(member: tarfile.TarInfo) -> Kind | None:
    if member.isdir():
        return Kind.DIRECTORY
    if member.issym():
        return Kind.SYMLINK
    if member.islnk():
        return Kind.HARDLINK
    return Kind.FILE if member.isfile() else None


def _quoted(text: str) -> str:
    """An argument as debugfs splits them: quotes around, a quote within doubled."""
    if "\n" in text:
        raise ImageError(f"a file name with a line break cannot be put on a disk: {text!r}")
    return '"' + text.replace('"', '""') + '"'
