"""Runs of kmatrix that are measured from outside: wall time, the harness' own memory, a guest's memory."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from harness.matrix.cell import Outcome
from harness.matrix.ledger import Attempt, read

ROOT = Path(__file__).parent.parent
_SAMPLE_SECONDS = 0.5


@dataclass
class Measured:
    """One run of `kmatrix run`."""

    directory: Path
    seconds: float = 0.0
    harness_bytes: int = 0
    """Most resident memory of the harness process itself."""
    guest_bytes: list[int] = field(default_factory=list)
    """Most resident memory of each QEMU."""

    @property
    def attempts(self) -> list[Attempt]:
        """The ledger."""
        return list(read(self.directory))


def run(directory: Path, *arguments: str) -> Measured:
    """Run kmatrix once with `--run-dir directory`. Raises `RuntimeError` with its last words if the lab failed."""
    measured = Measured(directory)
    most: dict[int, int] = {}
    command = [sys.executable, "-m", "harness", "run", "--run-dir", str(directory), *arguments]
    started = time.monotonic()
    with (directory.parent / f"{directory.name}.log").open("w+") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        while process.poll() is None:
            _sample(process.pid, measured, most)
            time.sleep(_SAMPLE_SECONDS)
        measured.seconds = time.monotonic() - started
        measured.guest_bytes = sorted(most.values())
        if process.returncode != 0:
            log.seek(0)
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{log.read()[-2000:]}")
    return measured


def surface(directory: Path, *arguments: str) -> float:
    """Seconds of `kmatrix surface` over kernels that it has never seen: an argument of their own makes them new.

    In a checkout of its own, so that no record with that argument stays. Raises `subprocess.CalledProcessError`.
    """
    directory.mkdir()
    (directory / "scenarios").symlink_to(ROOT / "scenarios")
    shutil.copy(ROOT / "conftest.py", directory)
    settings = (ROOT / "kernels.yaml").read_text()
    new = f"kernel_args: [kmatrix.bench={secrets.token_hex(4)}, "
    (directory / "kernels.yaml").write_text(settings.replace("kernel_args: [", new, 1))
    started = time.monotonic()
    command = [sys.executable, "-m", "harness", "surface", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=directory, env=environment, check=True, capture_output=True)
    return time.monotonic() - started


def _sample(pid: int, measured: Measured, most: dict[int, int]) -> None:
    try:
        measured.harness_bytes = max(measured.harness_bytes, psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return
    # libvirt makes QEMU a daemon of its own; the run's folder of guests is in its command line.
    for process in psutil.process_iter(["name", "create_time"]):
        if not process.info["name"].startswith("qemu-system"):
            continue
        try:
            most[process.pid] = max(most.get(process.pid, 0), process.memory_info().rss)
        except psutil.Error:
            continue


def restores(attempts: list[Attempt]) -> list[Attempt]:
    """First attempts of migration cells that restored and passed: what a quiet matrix consists of."""
    return [a for a in attempts if not a.cell.is_baseline and a.attempt == 1 and a.outcome is Outcome.PASS]


def wall(attempt: Attempt) -> float:
    """Seconds that an attempt kept its slot."""
    return sum(seconds for phase, seconds in attempt.seconds.items() if phase != "guest")


def without_boots(attempts: list[Attempt]) -> list[Attempt]:
    """Attempts that found their guest booted."""
    return [a for a in attempts if a.seconds.get("boot", 0.0) < 2.0]
