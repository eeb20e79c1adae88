"""Which CRIU an image gets: its distribution's, an installed prefix, or a built tree, of 2014 as of today."""

from __future__ import annotations

import os
import re
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ImageError
from harness.images import sysroot
from harness.images.disk import Kind, Node

PACKAGED = "/usr/sbin/criu"
"""Where Debian's package has CRIU."""
_OWN = "opt/criu"
_OWN_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_PREFIXES = ("", "usr", "usr/local")
_TREES = ("criu/criu", "criu")  # CRIU 1.x built its binary in the tree's top directory
_LIBRARY_DIRECTORIES = ("lib/x86_64-linux-gnu", "lib64", "lib")
_ELF_X86_64 = 62
_VERSION = re.compile(r"^Version:\s*(\S+)", re.MULTILINE)
_GIT = re.compile(r"^GitID:\s*(\S+)", re.MULTILINE)
_NOT_FOUND = re.compile(r"^\s*(?P<library>\S+) => not found", re.MULTILINE)
_NO_VERSION = re.compile(r"version [`'](?P<version>[^']+)' not found")
_LOADED = re.compile(r"=> (?P<path>/\S+) \(")


@dataclass(frozen=True)
class Build:
    """One CRIU on the host, before it is put into an image."""

    directory: Path | None
    """What the user named; None for the distribution's."""
    binary: Path
    guest_path: str
    libraries: tuple[Path, ...] = ()
    """Directories beside the binary where its own libraries may be."""
    plugins: tuple[Path, ...] = ()


def packaged(root: Path) -> Build:
    """The distribution's CRIU, as it lies in a sysroot."""
    return Build(directory=None, binary=root / PACKAGED.lstrip("/"), guest_path=PACKAGED)


def find(directory: Path) -> Build:
    """The CRIU in an installed prefix or a built source tree.

    Raises `ImageError` if there is none, or if it is no program for x86-64 Linux.
    """
    directory = directory.expanduser().absolute()
    for prefix in _PREFIXES:
        base = directory / prefix
        if (base / "sbin" / "criu").is_file():
            return _build(directory, base / "sbin" / "criu", [base / d for d in _LIBRARY_DIRECTORIES])
    for tree in _TREES:
        if (directory / tree).is_file():
            return _build(directory, directory / tree, [directory / "lib"], plugins=directory / "plugins")
    looked = [f"{prefix}/sbin/criu".lstrip("/") for prefix in _PREFIXES] + list(_TREES)
    raise ImageError(
        f"there is no CRIU in {directory}: none of {', '.join(looked)} is a file",
        hint="name an installed prefix (make install PREFIX=...) or a source tree after make",
    )


def nodes(build: Build, root: Path) -> list[Node]:
    """What `build` adds to an image that has the sysroot `root`; nothing for the distribution's.

    Libraries that the image lacks go where its loader looks without being told.
    Raises `ImageError` naming a library, or a version of glibc, that neither the image nor the build has.
    """
    if build.directory is None:
        return []
    loaded = _resolve(build, root)
    own = [path for path in loaded if not path.is_relative_to(root)]
    files = [(build.guest_path.lstrip("/"), build.binary, 0o755)]
    files += [(f"{_OWN_LIBRARIES}/{path.name}", path, 0o644) for path in own]
    files += [(f"{_OWN}/lib/criu/{path.name}", path, 0o644) for path in build.plugins]
    return [
        Node(path, Kind.FILE, mode, source=source.resolve(), size=source.stat().st_size)
        for path, source, mode in files
    ]


def version(build: Build, root: Path) -> str:
    """What `criu --version` says, asked with the userland's own loader; a developer's build adds its commit.

    Raises `ImageError` if it does not run.
    """
    done = _run(build, root, ["--version"])
    match = _VERSION.search(done.stdout)
    if match is None:
        reason = (done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}").splitlines()[-1]
        raise ImageError(f"{build.binary} does not tell its version: {reason}")
    git = _GIT.search(done.stdout)
    return f"{match[1]} ({git[1]})" if git is not None and git[1] != f"v{match[1]}" else match[1]


def missing(trace: str) -> list[str]:
    """Names of libraries and symbol versions that a loader's trace says are not there."""
    lost = [match["library"] for match in _NOT_FOUND.finditer(trace)]
    lost += [match["version"] for match in _NO_VERSION.finditer(trace)]
    return list(dict.fromkeys(lost))


def _build(directory: Path, binary: Path, libraries: list[Path], plugins: Path | None = None) -> Build:
    _check_elf(binary)
    present = tuple(path for path in libraries if path.is_dir())
    if plugins is not None:
        extra = sorted(plugins.glob("*/*_plugin.so"))
    else:
        extra = sorted(plugin for path in present for plugin in path.glob("criu/*.so"))
    return Build(directory, binary, f"/{_OWN}/sbin/criu", libraries=present, plugins=tuple(extra))


def _check_elf(binary: Path) -> None:
    with binary.open("rb") as file:
        header = file.read(20)
    if len(header) < 20 or header[:4] != b"\x7fELF":
        raise ImageError(f"{binary} is no ELF program")
    machine = struct.unpack_from("<H", header, 18)[0]
    if header[4] != 2 or machine != _ELF_X86_64:
        raise ImageError(f"{binary} is no program for x86-64: ELF machine {machine}")


def _resolve(build: Build, root: Path) -> list[Path]:
    done = _run(build, root, [], trace=True)
    trace = done.stdout + done.stderr
    lost = missing(trace)
    if lost:
        newer = any(name.startswith("GLIBC_") for name in lost)
        raise ImageError(
            f"{build.binary} needs {', '.join(lost)}, which neither the image nor {build.directory} has",
            hint="it was built on a newer distribution: choose a newer userland, or build it on an older one"
            if newer
            else "add the library's package to the userland, or put the library into the prefix's lib",
        )
    if done.returncode != 0:
        reason = (trace.strip() or f"status {done.returncode}").splitlines()[-1]
        raise ImageError(f"{build.binary} cannot be loaded in the image: {reason}")
    return [Path(match["path"]) for match in _LOADED.finditer(trace)]


def _run(
    build: Build, root: Path, arguments: list[str], *, trace: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run CRIU under the userland's loader, its libraries first; `trace` only lists what it loads."""
    path = ":".join(map(str, [sysroot.libraries(root), *build.libraries]))
    environment = {"PATH": os.defpath, "LC_ALL": "C"}
    if trace:
        environment |= {"LD_TRACE_LOADED_OBJECTS": "1", "LD_WARN": "1", "LD_BIND_NOW": "1"}
    argv = [str(sysroot.loader(root)), "--library-path", path, str(build.binary), *arguments]
    try:
        return subprocess.run(
            argv, env=environment, capture_output=True, text=True, errors="replace", timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImageError(f"{build.binary} cannot be run with the image's libraries: {error}") from error
