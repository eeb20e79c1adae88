"""The probe, compiled on the host: static, because it must run on every userland and every kernel alike."""

from __future__ import annotations

import subprocess
from pathlib import Path

from harness.archive.tool import surviving_full_disk
from harness.cache import Cache, key_of, sha256_of
from harness.errors import HostError, ImageError

SOURCES = Path(__file__).parent / "guest"
FLAGS = ("-static", "-Os", "-s", "-std=gnu11", "-Wall", "-Wextra", "-Werror")


def digest() -> str:
    """The probe's identity: that of its sources, so that records made on two hosts are known to be alike."""
    files = sorted(SOURCES.glob("*.[ch]"))
    return key_of(files=[(path.name, sha256_of(path)) for path in files], flags=FLAGS)


def gcc_argv(target: Path) -> list[str]:
    """The compiler's command line."""
    return ["gcc", *FLAGS, "-o", str(target), *map(str, sorted(SOURCES.glob("*.c"))), "-lutil"]


def build(cache: Cache) -> Path:
    """The probe's binary. Raises `HostError` without a compiler, `ImageError` with its words if it refuses."""

    def make(directory: Path) -> None:
        try:
            with surviving_full_disk(directory):
                done = subprocess.run(
                    gcc_argv(directory / "probe"), capture_output=True, text=True, check=False
                )
        except FileNotFoundError as error:
            raise HostError("gcc is not installed", hint="sudo apt-get install gcc libc6-dev") from error
        if done.returncode != 0:
            raise ImageError(f"the surface's probe does not compile:\n{done.stderr.strip()}")

    return cache.entry("probes", digest(), make) / "probe"
