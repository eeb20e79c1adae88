"""Workloads compiled on the host for a userland: its headers, its libc, and never static."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from harness.archive.tool import surviving_full_disk
from harness.cache import Cache, key_of, sha256_of
from harness.errors import HostError, ImageError
from harness.images.image import Image
from harness.images.sysroot import libraries as libraries_of

FLAGS = ("-O1", "-g", "-std=gnu11", "-Wall", "-Wextra", "-Werror")
_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.MULTILINE)


def compile_workload(
    image: Image, sources: tuple[Path, ...], libraries: tuple[str, ...], cache: Cache
) -> dict[str, Path]:
    """Programs by name (`x.c` gives `x`), each of one source, linked with `libraries` (`-lpthread`).

    Raises `ImageError` with the compiler's own words if it refuses, `HostError` if the host has none.
    """
    return {source.stem: _compile(image, source, libraries, cache) for source in sources}


def gcc_argv(sysroot: Path, source: Path, target: Path, libraries: Sequence[str]) -> list[str]:
    """The command that makes one program; the same source gives the same bytes wherever it lies."""
    return [
        "gcc",
        f"--sysroot={sysroot}",
        # gcc looks for libc beside its own installation first, which is the host's
        f"-B{libraries_of(sysroot)}/",
        *FLAGS,
        f"-ffile-prefix-map={source.parent}=/work/src",
        "-o",
        str(target),
        str(source),
        *libraries,
    ]


def local_headers(source: Path) -> list[Path]:
    """The source and every file it includes by a quoted name that lies beside the includer."""
    seen: dict[Path, None] = {}
    waiting = [source]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen[path] = None
        names = [name.decode(errors="replace") for name in _INCLUDE.findall(path.read_bytes())]
        waiting += [header for name in names if (header := path.parent / name).is_file()]
    return list(seen)


def _compile(image: Image, source: Path, libraries: Iterable[str], cache: Cache) -> Path:
    source = source.absolute()
    if not source.is_file():
        raise ImageError(f"there is no source {source}")
    arguments = tuple(libraries)
    key = key_of(
        # the root's directory is named by its content's key
        sysroot=image.sysroot.parent.name,
        files=[(path.name, sha256_of(path)) for path in local_headers(source)],
        libraries=arguments,
        flags=FLAGS,
        compiler=_compiler_version(),
    )

    def make(directory: Path) -> None:
        with surviving_full_disk(directory):
            done = _gcc(gcc_argv(image.sysroot, source, directory / source.stem, arguments))
        if done.returncode != 0:
            words = done.stderr.strip() or f"exit status {done.returncode}"
            raise ImageError(f"{source.name} does not compile for userland {image.userland}:\n{words}")

    return cache.entry("workloads", key, make) / source.stem


@lru_cache(maxsize=1)
def _compiler_version() -> str:
    return _gcc(["gcc", "--version"]).stdout.partition("\n")[0]


def _gcc(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError as error:
        raise HostError("gcc is not installed", hint="sudo apt-get install gcc") from error
