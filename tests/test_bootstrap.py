"""The set-up script on made-up hosts: what it would install, how it asks for root, and that half-done is not done."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
SCRIPTS = [ROOT / "ci/bootstrap.sh", ROOT / "ci/nightly.sh", ROOT / ".ci/run", ROOT / "ci/policy-rc.d"]

PYTHON = """\
#!/bin/sh
echo "$*" >>"$FAKES/log"
case "$*" in
"-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
*"-m pip install"*) [ ! -e "$FAKES/no-network" ] ;;
*version_info*) [ ! -e "$FAKES/old-python" ] ;;
*) echo "3.11.2" ;;
esac
"""
DPKG_QUERY = """\
#!/bin/sh
shift 3
for name; do
    grep -qx "$name" "$FAKES/lacking" || echo "installed $name"
done
[ ! -s "$FAKES/lacking" ]
"""
APT_GET = """\
#!/bin/sh
echo "apt-get $*" >>"$FAKES/log"
case "$*" in *" install "*) : >"$FAKES/lacking" ;; esac
"""
DPKG = """\
#!/bin/sh
echo "dpkg $*" >>"$FAKES/log"
"""
SUDO = """\
#!/bin/sh
echo "sudo $1" >>"$FAKES/log"
exec "$@"
"""
ID = """\
#!/bin/sh
cat "$FAKES/uid"
"""
INSTALL = """\
#!/bin/sh
echo "install $*" >>"$FAKES/log"
"""


class Host:
    """A checkout and the programs that the script finds beside the usual ones."""

    def __init__(self, directory: Path) -> None:
        self.checkout = directory / "checkout"
        self.fakes = directory / "fakes"
        (self.checkout / "ci").mkdir(parents=True)
        (self.checkout / "harness").mkdir()
        for name in (
            "ci/bootstrap.sh",
            "ci/constraints.txt",
            "ci/policy-rc.d",
            "harness/host-packages.txt",
            "pyproject.toml",
        ):
            shutil.copy(ROOT / name, self.checkout / name)
        (self.fakes / "bin").mkdir(parents=True)
        programs = {
            "python3": PYTHON, "dpkg-query": DPKG_QUERY, "dpkg": DPKG, "apt-get": APT_GET, "sudo": SUDO, "id": ID,
            "install": INSTALL,
        }  # fmt: skip
        for name, text in programs.items():
            (self.fakes / "bin" / name).write_text(text)
            (self.fakes / "bin" / name).chmod(0o755)
        (self.fakes / "uid").write_text("1000\n")
        (self.fakes / "lacking").touch()

    def run(self) -> subprocess.CompletedProcess[str]:
        """Call the script as `make setup` does."""
        (self.fakes / "log").write_text("")
        return subprocess.run(
            [self.checkout / "ci/bootstrap.sh"],
            env={
                "PATH": f"{self.fakes / 'bin'}:{os.environ['PATH']}",
                "FAKES": str(self.fakes),
                "KMATRIX_PYTHON": str(self.fakes / "bin/python3"),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def log(self) -> list[str]:
        """What the made-up programs were called with, the questions about versions left out."""
        return [line for line in (self.fakes / "log").read_text().splitlines() if not line.startswith("-c ")]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """An ordinary user's host with all packages and no environment yet."""
    return Host(tmp_path)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.name))
def test_scripts_parse_and_can_be_run(script: Path) -> None:
    shell = script.read_text().splitlines()[0].removeprefix("#!")
    subprocess.run([shell, "-n", script], check=True, timeout=10)
    assert os.access(script, os.X_OK) or script.name == "policy-rc.d"


def test_shellcheck_has_nothing_to_say() -> None:
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed")
    subprocess.run([shellcheck, *SCRIPTS], check=True, timeout=60)


def test_with_all_packages_nobody_asks_for_root(host: Host) -> None:
    done = host.run()
    assert done.returncode == 0, done.stderr
    venv, pip = host.log
    assert venv == "-m venv .venv"
    assert pip.endswith("--constraint ci/constraints.txt --editable .[dev]")


def test_the_second_call_does_nothing_and_is_quick(host: Host) -> None:
    host.run()
    started = time.monotonic()
    done = host.run()
    assert (done.returncode, done.stdout, done.stderr, host.log) == (0, "", "", [])
    assert time.monotonic() - started < 5  # a second on an idle machine


@pytest.mark.parametrize("name", ["pyproject.toml", "ci/constraints.txt"])
def test_what_changed_is_installed_into_the_same_environment(name: str, host: Host) -> None:
    host.run()
    with (host.checkout / name).open("a") as file:
        file.write("\n# changed\n")
    assert host.run().returncode == 0
    (pip,) = host.log
    assert "pip install" in pip
    assert host.run().returncode == 0
    assert host.log == []


def test_half_finished_does_not_count(host: Host) -> None:
    (host.fakes / "no-network").touch()
    assert host.run().returncode != 0
    assert not (host.checkout / ".venv/stamp").exists()
    (host.checkout / ".venv/half-a-package").touch()
    (host.fakes / "no-network").unlink()
    assert host.run().returncode == 0
    assert host.log[0] == "-m venv .venv"
    assert not (host.checkout / ".venv/half-a-package").exists()
    host.run()
    assert host.log == []


def test_an_environment_half_updated_does_not_count(host: Host) -> None:
    host.run()
    (host.checkout / "pyproject.toml").write_text("")
    (host.fakes / "no-network").touch()
    assert host.run().returncode != 0
    (host.fakes / "no-network").unlink()
    assert host.run().returncode == 0
    assert host.log[0] == "-m venv .venv"


def test_missing_packages_are_installed_with_sudo(host: Host) -> None:
    (host.fakes / "lacking").write_text("mmdebstrap\ncpio\n")
    done = host.run()
    assert done.returncode == 0, done.stderr
    assert "bootstrap: installing cpio mmdebstrap" in done.stderr
    calls = [line for line in host.log if line.startswith("apt-get")]
    assert [re.sub(" -o [^ ]+", "", call) for call in calls] == [
        "apt-get -q update",
        "apt-get -q -y install --no-install-recommends cpio mmdebstrap",
    ]
    # As root every step, and none without.
    order = [line for line in host.log if line.startswith(("sudo", "apt-get", "dpkg", "install"))]
    assert all(order[i - 1].startswith("sudo") for i, line in enumerate(order) if not line.startswith("sudo"))


def test_root_needs_no_sudo(host: Host) -> None:
    (host.fakes / "uid").write_text("0\n")
    (host.fakes / "bin/sudo").unlink()
    (host.fakes / "lacking").write_text("cpio\n")
    done = host.run()
    assert done.returncode == 0, done.stderr
    assert not any(line.startswith("sudo") for line in host.log)
    assert sum(line.startswith("apt-get") for line in host.log) == 2


def test_without_sudo_the_command_is_told(host: Host) -> None:
    if shutil.which("sudo") is not None:
        pytest.skip("this host has sudo, which the script would find")
    (host.fakes / "bin/sudo").unlink()
    (host.fakes / "lacking").write_text("cpio\n")
    done = host.run()
    assert done.returncode == 6
    assert "as root: apt-get install --no-install-recommends cpio" in done.stderr
    assert host.log == []


def test_an_old_python_is_refused(host: Host) -> None:
    (host.fakes / "old-python").touch()
    done = host.run()
    assert done.returncode == 6
    assert "is older than 3.11" in done.stderr
    assert not (host.checkout / ".venv").exists()


def test_constraints_pin_everything_and_name_no_place() -> None:
    lines = [
        line for line in (ROOT / "ci/constraints.txt").read_text().splitlines() if not line.startswith("#")
    ]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.+]*", line) for line in lines)
    pinned = {canonicalize_name(line.partition("==")[0]) for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert pinned >= {canonicalize_name(Requirement(text).name) for text in wanted}


def test_ci_runs_exactly_make_test() -> None:
    lines = (ROOT / ".ci/run").read_text().splitlines()
    assert lines[-1] == "exec make test"
    assert "set -eu" in lines


@pytest.mark.parametrize("target", ["help", "setup", "matrix", "test", "unit", "lint", "bench", "clean"])
def test_make_knows_its_targets(target: str) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    done = subprocess.run(
        ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    needs_setup = target not in ("help", "clean")
    assert ("ci/bootstrap.sh" in done.stdout) == needs_setup
