"""A userland's root disk, built once and cached: the root, the guest's own files, and a CRIU."""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.archive.tool import surviving_full_disk
from harness.cache import Cache, key_of, sha256_of
from harness.config import Settings, Userland
from harness.images import agent as agents
from harness.images import criu as criu_builds
from harness.images.disk import Kind, Node, make_disk, overlay, read_tar
from harness.images.root import EPOCH, Root, prepare_root

_LOG = logging.getLogger(__name__)
SCHEMA = 1
"""Raised when disks made by older code must be made again."""
FREE = 700 << 20
"""Bytes left for workloads and checkpoints on a new disk."""
_SIZE = 100 << 20
"""Bytes that making a disk takes on the host at most, besides the root's files twice: staged, and on the disk."""

_TEXTS: Mapping[str, str] = {
    # the host's own would come along otherwise
    "etc/hostname": "kmatrix\n",
    "etc/hosts": "127.0.0.1 localhost kmatrix\n::1 localhost\n",
    "etc/resolv.conf": "# no network to the outside\n",
    "etc/fstab": "",
}
_DIRECTORIES = {"usr/lib/modules": 0o755, "work": 0o755, "input": 0o755}
_LEFT_OUT = (
    # the guest mounts a devtmpfs
    "dev/*",
    # what the host's compiler needs is in the sysroot
    "usr/include/*",
    "usr/lib/linux/uapi/*",
    "usr/lib/x86_64-linux-gnu/*.a",
    # what only apt and dpkg read, and what differs from build to build or from host to host
    "etc/apt/sources.list*",
    "etc/machine-id",
    "etc/*-",
    "var/cache/*",
    "var/lib/apt/*",
    "var/lib/dpkg/*-old",
    "var/lib/dpkg/info/*.md5sums",
    "var/lib/dpkg/info/*.templates",
    "var/log/*.log",
    "var/log/apt",
)


@dataclass(frozen=True)
class Image:
    """A root disk with all that is known about it. It is never written to: guests get an overlay."""

    userland: str
    suite: str
    disk: Path
    """Raw ext4."""
    sysroot: Path
    """Headers and libraries of the userland for `gcc --sysroot`."""
    criu_version: str
    """As CRIU itself says, e.g. `4.1.1`."""
    criu_path: str
    """CRIU's path in the guest."""
    packages: dict[str, str]
    """Versions of the Debian packages in it."""
    sha256: str
    """The disk's bytes: the image's identity. The same archive gives the same identity on every host."""


def prepare(
    name: str,
    userland: Userland,
    settings: Settings,
    cache: Cache,
    criu: Path | None = None,
    extra: Iterable[str] = (),
) -> Image:
    """The image of `userland`, built if the cache does not have it; `criu` goes before the userland's own.

    `extra` are packages that the chosen scenarios want: an image carries no others. Those that the suite does not
    have are left out, and the scenarios that want them are skipped.
    Raises `ImageError` if it cannot be built, `HostError` if the host lacks a program or disk space.
    """
    started = time.monotonic()
    root = prepare_root(name, userland, settings, cache, extra)
    build = _build_of(userland, criu, root)
    brought = criu_builds.nodes(build, root.sysroot)
    key = key_of(
        schema=SCHEMA,
        root=root.sha256,
        guest=_guest_digest(),
        criu=[(node.path, sha256_of(node.source)) for node in brought if node.source],
        left_out=_LEFT_OUT,
    )

    def make(directory: Path) -> None:
        cache.require(_SIZE + 2 * root.tar.stat().st_size, f"the disk of userland {name}")
        _LOG.info("making the disk of userland %s", name)
        _make(directory, root, build, brought)

    directory = cache.entry("images", key, make)
    record = json.loads((directory / "image.json").read_text())
    _LOG.debug("image %s ready after %.1f s", name, time.monotonic() - started)
    return Image(
        userland=name,
        suite=userland.suite,
        disk=directory / "disk.ext4",
        sysroot=root.sysroot,
        criu_version=record["criu_version"],
        criu_path=record["criu_path"],
        packages=root.packages,
        sha256=record["sha256"],
    )


def _build_of(userland: Userland, criu: Path | None, root: Root) -> criu_builds.Build:
    path = criu or (userland.criu.path if userland.criu else None)
    return criu_builds.find(path) if path is not None else criu_builds.packaged(root.sysroot)


def _make(directory: Path, root: Root, build: criu_builds.Build, brought: list[Node]) -> None:
    disk = directory / "disk.ext4"
    with (
        surviving_full_disk(directory),
        tempfile.TemporaryDirectory(dir=directory, prefix="staging.") as name,
    ):
        staging = Path(name)
        nodes = overlay(
            read_tar(root.tar, staging, without=_LEFT_OUT),
            [*_guest_nodes(staging), *brought],
        )
        make_disk(nodes, disk, free=FREE, epoch=EPOCH)
        record = {
            "schema": SCHEMA,
            "sha256": sha256_of(disk),
            "root": root.sha256,
            "criu_path": build.guest_path,
            "criu_version": criu_builds.version(build, root.sysroot),
            "criu_source": str(build.directory) if build.directory else None,
        }
        (directory / "image.json").write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")


def _guest_nodes(staging: Path) -> list[Node]:
    nodes = [Node(path, Kind.DIRECTORY, mode) for path, mode in _DIRECTORIES.items()]
    for path, text in _TEXTS.items():
        source = staging / f"text-{path.replace('/', '-')}"
        source.write_text(text)
        nodes.append(Node(path, Kind.FILE, 0o644, source=source, size=len(text)))
    for path in agents.PROGRAMS:
        program = staging / Path(path).name
        agents.compile_program(path, program)
        nodes.append(Node(path.lstrip("/"), Kind.FILE, 0o755, source=program, size=program.stat().st_size))
    return nodes


def _guest_digest() -> str:
    return key_of(
        programs={path: sha256_of(source) for path, source in agents.PROGRAMS.items()},
        headers=[sha256_of(header) for header in agents.HEADERS],
        texts=_TEXTS,
        directories=_DIRECTORIES,
    )
