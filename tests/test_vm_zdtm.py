"""CRIU's own tests in real guests: the front door, both ways of being run, and what must not fool the check."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from kmatrix_process import run
from stage import BOOT_SECONDS, HARDWARE

from harness.cache import Cache
from harness.config import Config
from harness.guests.guest import Boot, Guest
from harness.guests.hypervisor import Hypervisor
from harness.images import Image
from harness.matrix.cell import Cell, Outcome
from harness.matrix.ledger import final_states, read
from harness.matrix.schema import check_run
from harness.migration.site import Site
from harness.scenario import Workload
from harness.suites.zdtm import Suite, open_suite
from harness.suites.zdtm.case import Case

pytestmark = pytest.mark.vm

SCENARIOS = Path(__file__).parent.parent / "scenarios"
FORGERY = "12:00:00.000: 5: PASS"


def test_the_suite_is_run_like_every_scenario(tmp_path: Path) -> None:
    """ptrace_sig is a test that CRIU must refuse (`crfail`), and that must go on unharmed. The last two need what they
    have outside of themselves: a tmpfs, and a mount of a cgroup hierarchy."""
    tests = (
        "zdtm.pipe00.host",
        "zdtm.env00.ns",
        "zdtm.ptrace_sig.host",
        "zdtm.mnt_ext_root.ns",
        "zdtm.cgroup01.host",
    )
    directory = tmp_path / "run"
    chosen = ("--kernels", "debian-6.12", "--userlands", "trixie", "--scenarios", ",".join(tests))
    done = run("run", "--suite", "zdtm", *chosen, "--run-dir", str(directory))
    assert done.returncode == 0, done.stdout + done.stderr
    assert check_run(directory) == []
    assert json.loads((directory / "run.json").read_text())["plan"]["suite"] == "zdtm"
    states = final_states(read(directory))
    assert len(states) == 10
    moved = [states[Cell("trixie", "cold", name, "debian-6.12", "debian-6.12")] for name in tests]
    assert [str(attempt.outcome) for attempt in moved] == ["pass", "pass", "skip", "pass", "pass"]
    assert "CRIU refuses the dump" in (moved[2].error or "")
    assert all(states[Cell.baseline("trixie", name, "debian-6.12")].outcome is Outcome.PASS for name in tests)
    commands = (directory / moved[1].logs["commands"]).read_text()
    assert "--root=/run/zdtm/root/root" in commands
    assert "Restore finished successfully" in (directory / moved[1].logs["restore"]).read_text()


@pytest.fixture(scope="module")
def suite(lab_config: Config, lab_cache: Cache) -> Suite:
    """trixie's."""
    return open_suite(SCENARIOS, "trixie", lab_config.userlands["trixie"], lab_config.settings, lab_cache)


@pytest.fixture(scope="module")
def booted(hypervisor: Hypervisor, trixie_boot: Boot, trixie: Image, lab_config: Config) -> Iterator[Site]:
    """A guest prepared for the lab's work, snapshot taken."""
    timeouts = lab_config.settings.timeouts.model_copy(update={"boot": BOOT_SECONDS})
    site = Site(Guest(hypervisor, "zdtm", trixie_boot, HARDWARE), timeouts)
    try:
        site.open(trixie.criu_path, trixie.criu_version)
        site.snapshot()
        yield site
    finally:
        site.close()


def begin(site: Site, case: Case, image: Image, cache: Cache) -> Workload:
    """Start a test in a pristine guest as the lab does."""
    site.reset()
    pid = site.start(case.payload(image, cache), case.scenario.command, own_network=False)
    case.ready(site.host, Workload(site.host, pid))
    assert case.scenario.pidfile is not None
    return Workload(site.host, site.adopt(case.scenario.pidfile))


def start_anew(site: Site, workload: Workload, name: str) -> Workload:
    """End the test and run it again, with the pids that it had in its own namespace."""
    static = f"/work/test/zdtm/static/{name}"
    site.host.run(f"kill -KILL {workload.pid}; rm -f {static}.pid* {static}.out* /work/ready")
    done = site.host.run("/bin/sh /work/bin/zdtm.sh start >/dev/null 2>&1; cat /work/ready")
    assert done.stdout == "ok\n"
    return Workload(site.host, site.adopt(f"test/zdtm/static/{name}.pid"))


@pytest.mark.parametrize("how", ["nothing", "restarted", "killed", "forged"])
def test_what_must_not_fool_the_check(
    how: str, booted: Site, suite: Suite, trixie: Image, lab_cache: Cache
) -> None:
    """A test that was started again prints PASS as well, and anyone can write it into a file."""
    case = suite.cases["zdtm.pipe00.ns"]
    workload = begin(booted, case, trixie, lab_cache)
    before = case.remember(booted.host, workload)
    out = "/work/test/zdtm/static/pipe00.out"
    words = {
        "restarted": "its nonce in memory is not the old one",
        "killed": "first process is gone",
        "forged": "had ended before it was told to",
    }
    if how == "restarted":
        workload = start_anew(booted, workload, "pipe00")
    elif how == "killed":
        booted.host.run(f"kill -KILL {workload.pid}; echo '{FORGERY}' >{out}")
    elif how == "forged":
        booted.host.run(f"echo '{FORGERY}' >{out}")
    try:
        if how == "nothing":
            case.check(booted.host, workload, before)
            return
        with pytest.raises(AssertionError, match=words[how]):
            case.check(booted.host, workload, before)
    finally:
        booted.park()
