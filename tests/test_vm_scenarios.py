"""The scenarios' self-tests in a real guest: its own libc, python3 and redis, and after a real dump and restore."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from stage import BOOT_SECONDS, HARDWARE

from harness.cache import Cache, sha256_of
from harness.config import Config
from harness.guests.guest import Boot, Guest
from harness.guests.hypervisor import Hypervisor
from harness.images import Image
from harness.matrix.workloads import Reference, load
from harness.migration.checkpoint import Checkpoint, Manifest, Origin
from harness.migration.criu import DUMP_DONE, RESTORE_DONE
from harness.migration.site import CriuRun, Site
from harness.scenario import Workload

pytestmark = pytest.mark.vm

SCENARIOS = Path(__file__).parent.parent / "scenarios"
DAMAGE = [
    ("cpu", "registers"),
    ("threads", "tls"),
    ("pipes", "refilled"),
    ("tcp", "options"),
    ("python", "twin"),
    # these run nowhere else where the host has no redis
    ("redis", "key"),
    ("redis", "reconnected"),
    ("redis", "executed"),
]


@pytest.fixture(scope="module")
def booted(hypervisor: Hypervisor, trixie_boot: Boot, trixie: Image, lab_config: Config) -> Iterator[Site]:
    """A guest prepared for the lab's work, snapshot taken."""
    timeouts = lab_config.settings.timeouts.model_copy(update={"boot": BOOT_SECONDS})
    site = Site(Guest(hypervisor, "scenarios", trixie_boot, HARDWARE), timeouts)
    try:
        site.open(trixie.criu_path, trixie.criu_version)
        site.snapshot()
        yield site
    finally:
        site.close()


@pytest.fixture
def site(booted: Site) -> Iterator[Site]:
    """The same, pristine."""
    booted.reset()
    yield booted
    booted.park()


def begin(site: Site, reference: Reference, image: Image, cache: Cache) -> Workload:
    """Start a scenario's workload as the lab does."""
    scenario = reference.scenario
    pid = site.start(reference.payload(image, cache), scenario.command, scenario.own_network)
    workload = Workload(site.host, pid)
    reference.ready(site.host, workload)
    return workload


@pytest.mark.parametrize(("name", "what"), DAMAGE)
def test_damage_is_noticed_in_a_guest(
    name: str, what: str, site: Site, trixie: Image, lab_cache: Cache
) -> None:
    reference = load(SCENARIOS / f"{name}.py")
    workload = begin(site, reference, trixie, lab_cache)
    before = reference.remember(site.host, workload)
    assert before["pid"] == workload.pid
    reference.corrupt(site.host, workload, what)
    with pytest.raises(AssertionError, match=reference.corruptions[what]):
        reference.check(site.host, workload, before)


def test_redis_is_found_unharmed_when_nothing_happened(site: Site, trixie: Image, lab_cache: Cache) -> None:
    reference = load(SCENARIOS / "redis.py")
    workload = begin(site, reference, trixie, lab_cache)
    before = reference.remember(site.host, workload)
    reference.check(site.host, workload, before)
    assert before["server_pid"] == str(before["server"])


def test_a_workload_that_ends_is_told_from_one_that_is_slow(
    site: Site, trixie: Image, lab_cache: Cache
) -> None:
    reference = load(SCENARIOS / "pipes.py")
    workload = begin(site, reference, trixie, lab_cache)
    site.host.run(f"kill -STOP {workload.pid}")
    with pytest.raises(AssertionError, match="did not answer 'report' within 1 s"):
        workload.ask(seconds=1)
    site.host.run(f"kill -KILL {workload.pid}")
    with pytest.raises(AssertionError, match=f"process {workload.pid} is gone"):
        workload.ask()


@pytest.mark.parametrize("damage", [True, False])
def test_what_was_damaged_after_a_restore_is_noticed(
    damage: bool, site: Site, trixie: Image, lab_cache: Cache, tmp_path: Path
) -> None:
    reference = load(SCENARIOS / "pipes.py")
    workload = begin(site, reference, trixie, lab_cache)
    before = reference.remember(site.host, workload)
    dumped = site.dump(workload.pid, reference.scenario.criu)
    assert DUMP_DONE in site.logs(tmp_path)["dump"].read_text()
    site.pack(tmp_path / "checkpoint.tar")
    checkpoint = as_checkpoint(tmp_path / "checkpoint.tar", workload.pid, dumped, before)
    site.reset()
    site.insert(checkpoint)
    site.restore(checkpoint, reference.scenario.criu)
    assert RESTORE_DONE in site.logs(tmp_path)["restore"].read_text()
    restored = Workload(site.host, workload.pid)
    if not damage:
        reference.check(site.host, restored, before)
        return
    reference.corrupt(site.host, restored, "refilled")
    with pytest.raises(AssertionError, match=reference.corruptions["refilled"]):
        reference.check(site.host, restored, before)


def as_checkpoint(data: Path, pid: int, dumped: CriuRun, facts: dict[str, object]) -> Checkpoint:
    """What the guest packed, with the manifest that the lab would write."""
    manifest = Manifest(
        origin=Origin(**{field.name: "test" for field in fields(Origin)}),
        sha256=sha256_of(data),
        bytes=data.stat().st_size,
        pid=pid,
        uptime=dumped.uptime,
        dump_command=dumped.argv,
        workload_command=(),
        facts=facts,
        dump_seconds=dumped.seconds,
        image_bytes=0,
    )
    return Checkpoint(manifest, data)
