"""The lab's own programs in a guest, compiled on the host: static, because they must run on every userland alike.

Static also because a program without a dynamic loader starts four times as fast under emulation.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from harness.errors import HostError, ImageError

_SOURCES = Path(__file__).parent / "guest"
INIT_PATH = "/usr/lib/kmatrix/init"
"""pid 1 of the guest."""
GUEST_PATH = "/usr/lib/kmatrix/agent"
"""Speaks with `harness.guests.agent`."""
HAND_PATH = "/usr/lib/kmatrix/hand"
"""Starts workloads and asks them; `harness.scenario` and `harness.migration.site` call it."""
LOGS_PATH = "/usr/lib/kmatrix/logs"
"""Brings an attempt's evidence out; `harness.migration.site` calls it."""
UNPACK_PATH = "/usr/lib/kmatrix/unpack"
"""Lays out what the host has put onto the input disk."""
PACK_PATH = "/usr/lib/kmatrix/pack"
"""Brings a checkpoint out."""
STEP_PATH = "/usr/lib/kmatrix/step"
"""Starts a workload, runs CRIU."""
PROGRAMS = {
    path: _SOURCES / f"{Path(path).name}.c"
    for path in (INIT_PATH, GUEST_PATH, HAND_PATH, LOGS_PATH, UNPACK_PATH, PACK_PATH, STEP_PATH)
}
"""Path in the guest to C source."""
HEADERS = (_SOURCES / "tar.h",)
"""What the sources include, besides the C library's."""


def program_argv(source: Path, target: Path) -> list[str]:
    """The compiler's command line."""
    return ["gcc", "-static", "-Os", "-s", "-Wall", "-Wextra", "-Werror", "-o", str(target), str(source)]


def compile_program(path: str, target: Path) -> None:
    """Make the binary of one of `PROGRAMS`. Raises `HostError` without a compiler, `ImageError` if it refuses."""
    source = PROGRAMS[path]
    try:
        done = subprocess.run(program_argv(source, target), capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise HostError("gcc is not installed", hint="sudo apt-get install gcc libc6-dev") from error
    if done.returncode != 0:
        raise ImageError(f"the guest's {source.name} does not compile:\n{done.stderr.strip()}")
