"""The guest's end of the lab, compiled on the host: static, because it must run on every userland alike.

Static also because a program without a dynamic loader starts four times as fast under emulation.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from harness.errors import HostError, ImageError

SOURCE = Path(__file__).parent / "guest" / "agent.c"
GUEST_PATH = "/usr/lib/kmatrix/agent"
HAND_SOURCE = SOURCE.with_name("hand.c")
HAND_PATH = "/usr/lib/kmatrix/hand"
"""Starts workloads and asks them; `harness.scenario` and `lab.sh` call it."""


def agent_argv(target: Path, source: Path = SOURCE) -> list[str]:
    """The compiler's command line."""
    return ["gcc", "-static", "-Os", "-s", "-Wall", "-Wextra", "-Werror", "-o", str(target), str(source)]


def compile_agent(target: Path, source: Path = SOURCE) -> None:
    """Make the agent's binary, or the hand's. Raises `HostError` without a compiler, `ImageError` if it refuses."""
    try:
        done = subprocess.run(agent_argv(target, source), capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise HostError("gcc is not installed", hint="sudo apt-get install gcc libc6-dev") from error
    if done.returncode != 0:
        raise ImageError(f"the guest's {source.name} does not compile:\n{done.stderr.strip()}")
