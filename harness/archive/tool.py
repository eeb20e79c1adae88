"""Runs the host's programs; their failures become the lab's errors, one clear line each."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.errors import HarnessError, HostError

_PACKAGES = {
    "apt-get": "apt",
    "apt-cache": "apt",
    "apt-config": "apt",
    "cpio": "cpio",
    "depmod": "kmod",
    "dpkg-deb": "dpkg",
    "gzip": "gzip",
    "mke2fs": "e2fsprogs",
    "zstd": "zstd",
}
_NO_SPACE = os.strerror(errno.ENOSPC)


class ToolFailed(HarnessError):
    """A program of the host ended with an error; `output` is all it printed on standard error."""

    def __init__(self, message: str, *, output: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.output = output


def no_space(where: Path | str) -> HostError:
    """The error for a disk that filled up while we wrote to it."""
    return HostError(
        f"no space left on the disk that holds {where}",
        hint="free some space, or set KMATRIX_CACHE to a directory on a larger disk",
    )


@contextmanager
def surviving_full_disk(where: Path) -> Iterator[None]:
    """Turn ENOSPC (and a quota that is used up) into a `HostError`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_space(where) from error
        raise


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> str:
    """Run a program and return its standard output; `environment` is added to ours.

    Raises `HostError` if the program is missing or the disk is full, `ToolFailed` if it fails otherwise.
    """
    program = Path(argv[0]).name
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            env={**_environment(), **(environment or {})},
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        if cwd is not None and not cwd.is_dir():
            raise
        package = _PACKAGES.get(program, program)
        raise HostError(f"{program} is not installed", hint=f"sudo apt-get install {package}") from error
    if done.returncode == 0:
        return done.stdout
    if _NO_SPACE in done.stderr:
        raise no_space(cwd or argv[-1])
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    reason = lines[-1] if lines else f"exit status {done.returncode}"
    raise ToolFailed(f"{program}: {reason}", output=done.stderr)


def _environment() -> dict[str, str]:
    """Our environment with untranslated messages, and the administrator's programs on the path.

    An ordinary user's PATH on Debian lacks /usr/sbin, where depmod and mke2fs are.
    """
    path = os.environ.get("PATH", os.defpath)
    return {**os.environ, "LC_ALL": "C.UTF-8", "PATH": f"{path}:/usr/local/sbin:/usr/sbin:/sbin"}
