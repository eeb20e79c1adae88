"""kmatrix as its users start it: another process, in this checkout or in a copy of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent
PATIENCE = 900.0
"""Seconds for a whole run, on a host that has other things to do."""


def command(*arguments: str) -> list[str]:
    """argv of kmatrix."""
    return [sys.executable, "-m", "harness", *arguments]


def run(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run kmatrix to its end; `cwd` lies in the checkout whose scenarios it is about."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def start(*arguments: str, log: Path) -> subprocess.Popen[str]:
    """Start kmatrix; its output goes to `log`."""
    with log.open("w") as file:
        return subprocess.Popen(
            # what a shell starts in the background ignores SIGINT, and hands that on
            ["env", "--default-signal", *command(*arguments)],
            cwd=ROOT,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def wait_for_lines(ledger: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until a run's ledger has so many lines."""
    deadline = time.monotonic() + PATIENCE
    while not ledger.exists() or ledger.read_text().count("\n") < count:
        assert process.poll() is None, "kmatrix ended before its ledger had the lines that were waited for"
        assert time.monotonic() < deadline, "the ledger does not grow"
        time.sleep(0.1)


def guests_of(run_root: str) -> list[psutil.Process]:
    """The QEMUs whose files are below a directory."""
    found = []
    for process in psutil.process_iter(["name"]):
        try:
            if process.info["name"].startswith("qemu-system") and any(
                run_root in a for a in process.cmdline()
            ):
                found.append(process)
        except psutil.Error:
            continue
    return found


def roots_of(pid: int) -> list[str]:
    """The directories of guests that a kmatrix process owns: those whose lock file it holds open."""
    try:
        files = psutil.Process(pid).open_files()
    except psutil.Error:
        return []
    return [str(Path(file.path).parent) for file in files if file.path.endswith("/owner.lock")]
