"""The guest's end of the lab, compiled on the host: static, because it must run on every userland alike."""

from __future__ import annotations

import subprocess
from pathlib import Path

from harness.errors import HostError, ImageError

SOURCE = Path(__file__).parent / "guest" / "agent.c"
GUEST_PATH = "/usr/lib/kmatrix/agent"


def agent_argv(target: Path) -> list[str]:
    """The compiler's command line."""
    return ["gcc", "-static", "-Os", "-s", "-Wall", "-Wextra", "-Werror", "-o", str(target), str(SOURCE)]


def compile_agent(target: Path) -> None:
    """Make the agent's binary. Raises `HostError` without a compiler, `ImageError` if it refuses."""
    try:
        done = subprocess.run(agent_argv(target), capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise HostError("gcc is not installed", hint="sudo apt-get install gcc libc6-dev") from error
    if done.returncode != 0:
        raise ImageError(f"the guest's agent does not compile:\n{done.stderr.strip()}")
