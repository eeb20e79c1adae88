"""An image from end to end: what happens when the host is in the way, and a real one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from harness.cache import Cache, sha256_of
from harness.config import Settings, Userland
from harness.errors import HostError, ImageError
from harness.images import compile_workload, prepare
from harness.images.agent import PROGRAMS, compile_program
from harness.images.sysroot import libraries, loader
from harness.kernels.artifacts import is_static

TRIXIE = Userland(suite="trixie", packages=("python3", "redis-server"))
NOWHERE = Settings(mirrors={"debian": "http://127.0.0.1:9/debian", "security": "http://127.0.0.1:9/security"})


def stand_in(directory: Path, monkeypatch: pytest.MonkeyPatch, complaint: str) -> None:
    """Put an mmdebstrap first on the path that only says `complaint` and fails."""
    program = directory / "bin" / "mmdebstrap"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit({complaint!r})\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def test_disk_space_is_checked_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1 << 40, 1 << 40, 1 << 20))
    stand_in(tmp_path, monkeypatch, "E: never asked")
    with pytest.raises(HostError, match=r"userland x needs .* MiB"):
        prepare("x", TRIXIE, NOWHERE, Cache(tmp_path / "cache"))


def test_a_full_disk_is_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, "E: tar: root.tar: Cannot write: No space left on device")
    cache = Cache(tmp_path / "cache")
    with pytest.raises(HostError, match="no space left on the disk"):
        prepare("x", TRIXIE, NOWHERE, cache)
    assert not list((cache.root / "roots").iterdir())


def test_a_failed_build_leaves_nothing_but_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, "E: the archive is on fire\nE: mmdebstrap failed to run")
    cache = Cache(tmp_path / "cache")
    with pytest.raises(ImageError, match="userland x cannot be built: E: the archive is on fire"):
        prepare("x", TRIXIE, NOWHERE, cache)
    assert not list((cache.root / "roots").iterdir())


@pytest.mark.parametrize("path", PROGRAMS)
def test_the_guests_programs_need_nothing_of_the_userland(path: str, tmp_path: Path) -> None:
    compile_program(path, tmp_path / "program")
    assert is_static(tmp_path / "program")


@pytest.mark.vm
def test_a_real_image(tmp_path: Path) -> None:
    cache = Cache()
    image = prepare("trixie", TRIXIE, Settings(), cache)
    assert image.sha256 == sha256_of(image.disk)
    assert image.packages["criu"].startswith(image.criu_version)
    record = json.loads((image.disk.parent / "image.json").read_text())
    assert record["criu_path"] == image.criu_path == "/usr/sbin/criu"

    env = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    subprocess.run(["e2fsck", "-fn", image.disk], env=env, capture_output=True, check=True)
    questions = "stat /usr/lib/kmatrix/init\nstat /usr/sbin/iptables-legacy\nstat /etc/machine-id\n"
    told = subprocess.run(
        ["debugfs", image.disk], env=env, input=questions, capture_output=True, text=True, check=True
    )
    assert "Mode:  0755" in told.stdout
    assert "/etc/machine-id: File not found" in told.stderr
    assert told.stderr.count("not found") == 1

    source = tmp_path / "version.c"
    source.write_text(
        "#include <gnu/libc-version.h>\n#include <math.h>\n#include <pthread.h>\n#include <stdio.h>\n"
        "int main(int argc, char **argv) { (void)argv; puts(gnu_get_libc_version());"
        " return pthread_self() == 0 || sqrt(argc) < 0; }\n"
    )
    program = compile_workload(image, (source,), ("-lpthread", "-lm"), cache)["version"]
    argv = [loader(image.sysroot), "--library-path", libraries(image.sysroot), program]
    version = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
    assert image.packages["libc6"].startswith(version)
