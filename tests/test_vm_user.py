"""The lab as an ordinary user: image, guests, a migration and the report, without root anywhere."""

from __future__ import annotations

import os
import secrets
import shutil
import site
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from kmatrix_process import PATIENCE, ROOT

from harness.cache import Cache
from harness.matrix.cell import Outcome
from harness.matrix.ledger import final_states, read
from harness.matrix.schema import check_run

pytestmark = [
    pytest.mark.vm,
    pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs all the other tests as one"),
]
_KEPT = ("kernels", "debs")
"""What was fetched already; the image is built anew, because that is what needs a user namespace."""


@pytest.fixture
def home() -> Iterator[Path]:
    """The home directory of a user who exists for this test."""
    name = f"km{secrets.token_hex(4)}"
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", name], check=True)
    home = Path(f"~{name}").expanduser()
    try:
        yield home
    finally:
        subprocess.run(["userdel", "--remove", name], check=True, capture_output=True)


def test_an_ordinary_user_builds_an_image_and_runs_cells(home: Path) -> None:
    user = home.name
    checkout, packages = home / "kmatrix", home / "packages"
    ignore = shutil.ignore_patterns(".git", ".venv", "reports", "*_cache", "__pycache__")
    shutil.copytree(ROOT, checkout, ignore=ignore)
    shutil.copytree(site.getsitepackages()[0], packages, ignore=shutil.ignore_patterns("__pycache__"))
    cache = home / "cache"
    for kind in _KEPT:
        shutil.copytree(Cache().root / kind, cache / kind, symlinks=True)
    subprocess.run(["chown", "-R", f"{user}:{user}", checkout, cache], check=True)
    done = subprocess.run(
        ["/usr/sbin/runuser", "-u", user, "--", "/usr/bin/python3", "-m", "harness", "run",
         "--kernels", "debian-6.12", "--scenarios", "cpu"],
        cwd=checkout,
        env={
            "HOME": str(home),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "KMATRIX_CACHE": str(cache),
            "PYTHONPATH": f"{checkout}:{packages}",
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    run = (checkout / "reports" / "latest").resolve()
    assert check_run(run) == []
    states = final_states(read(run))
    assert {str(cell): attempt.outcome for cell, attempt in states.items()} == {
        "trixie/baseline/cpu/debian-6.12": Outcome.PASS,
        "trixie/cold/cpu/debian-6.12→debian-6.12": Outcome.PASS,
    }
    assert run.stat().st_uid == home.stat().st_uid
    assert (run / "index.html").is_file()
