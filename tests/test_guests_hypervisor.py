"""Sweeping after runs that were killed: what is theirs goes, what is anybody else's stays."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from harness.guests import hypervisor
from harness.guests.hypervisor import sweep


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base"
    path.mkdir()
    return path


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def leftover(base: Path, name: str, pid: int | str) -> Path:
    root = base / name
    (root / "run" / "qemu").mkdir(parents=True)
    (root / "run" / "qemu" / "guest.pid").write_text(str(pid))
    files = base.parent / f"guests-{name}"
    files.mkdir()
    (files / "root.qcow2").write_bytes(b"x")
    (root / "guests").symlink_to(files)
    return files


def test_a_leftover_goes_with_its_guests_files_and_qemu(base: Path) -> None:
    files = leftover(base, "dead", 0)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", str(base / "dead")]) as qemu:
        (base / "dead" / "run" / "qemu" / "guest.pid").write_text(str(qemu.pid))
        assert sweep(base) == ["dead"]
        assert not psutil.pid_exists(qemu.pid)
    assert not (base / "dead").exists()
    assert not files.exists()


def test_a_root_with_an_owner_stays(base: Path, sleeper: subprocess.Popen[bytes]) -> None:
    files = leftover(base, "mine", sleeper.pid)
    with FileLock(base / "mine" / "owner.lock"):
        assert sweep(base) == []
    assert files.is_dir()
    assert sleeper.poll() is None


def test_a_pid_that_another_process_has_now_is_left_alone(
    base: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    leftover(base, "dead", sleeper.pid)
    assert sweep(base) == ["dead"]
    assert sleeper.poll() is None


@pytest.mark.parametrize("pid", ["", "no number", "0", "-1", "99999999999", "4194303"])
def test_a_broken_pid_file_hinders_nobody(base: Path, pid: str) -> None:
    leftover(base, "dead", pid)
    assert sweep(base) == ["dead"]
    assert not (base / "dead").exists()


def test_a_root_that_is_just_being_made_is_no_leftover(base: Path) -> None:
    swept: list[list[str]] = []
    sweeper = threading.Thread(target=lambda: swept.append(sweep(base)))
    with hypervisor._sweeping(base):
        (base / "new").mkdir()
        sweeper.start()
        sweeper.join(0.2)
        assert sweeper.is_alive()
        owner = FileLock(base / "new" / "owner.lock")
        owner.acquire()
    sweeper.join(10)
    owner.release()
    assert swept == [[]]


def test_nothing_to_sweep(base: Path) -> None:
    assert sweep(base) == []
    assert sweep(base) == []
