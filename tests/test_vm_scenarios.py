"""The scenarios' self-tests in a real guest: its own libc and programs, and after a real dump and restore."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
from stage import BOOT_SECONDS, HARDWARE

from harness import images
from harness.cache import Cache, sha256_of
from harness.config import Config
from harness.guests.guest import Boot, Guest
from harness.guests.hypervisor import Hypervisor
from harness.images import Image
from harness.kernels import Kernel
from harness.matrix.workloads import Reference, load
from harness.migration.checkpoint import Checkpoint, Manifest, Origin
from harness.migration.criu import DUMP_DONE, RESTORE_DONE
from harness.migration.site import CriuRun, Site
from harness.scenario import Workload

pytestmark = pytest.mark.vm

SCENARIOS = Path(__file__).parent.parent / "scenarios"
PLAIN = [
    ("cpu", "registers"),
    ("threads", "tls"),
    ("pipes", "refilled"),
    ("tcp", "options"),
    ("python", "twin"),
    ("asyncio", "answered"),
    ("sqlite", "unlocked"),
]
# These run nowhere else where the host has not the programs.
SERVERS = [
    ("redis", "key"),
    ("redis", "reconnected"),
    ("redis", "executed"),
    ("memcached", "half"),
    ("memcached", "rewritten"),
    ("nginx", "limit"),
    ("nginx", "half"),
    ("nats", "told"),
    ("tmux", "history"),
]
LARGE = [
    ("postgresql", "committed"),
    ("postgresql", "cursor"),
    ("postgresql", "server"),
    ("node", "answered"),
    ("node", "loop"),
    ("java", "key"),
    ("java", "collected"),
]


@dataclass(frozen=True)
class House:
    """A guest prepared for the lab's work, with what a group of scenarios needs."""

    image: Image
    site: Site


Open = Callable[[str, list[tuple[str, str]]], House]


@pytest.fixture(scope="module")
def opened(
    hypervisor: Hypervisor, debian_6_12: Kernel, lab_config: Config, lab_cache: Cache
) -> Iterator[Open]:
    """Boots a guest for a group when its first test wants one; takes its snapshot; ends all of them."""
    timeouts = lab_config.settings.timeouts.model_copy(update={"boot": BOOT_SECONDS})
    houses: dict[str, House] = {}

    def find(name: str, damage: list[tuple[str, str]]) -> House:
        if name in houses:
            return houses[name]
        wanted = {p for one, _ in damage for p in load(SCENARIOS / f"{one}.py").scenario.needs.packages}
        userland = lab_config.userlands["trixie"]
        image = images.prepare("trixie", userland, lab_config.settings, lab_cache, extra=wanted)
        boot = Boot(debian_6_12.image, debian_6_12.initrd, debian_6_12.modules_disk, image.disk)
        site = Site(Guest(hypervisor, f"scenarios-{name}", boot, HARDWARE), timeouts)
        houses[name] = House(image, site)
        site.open(image.criu_path, image.criu_version)
        site.snapshot()
        return houses[name]

    yield find
    for house in houses.values():
        house.site.close()


def pristine(house: House) -> Iterator[House]:
    """The house as it was when it was opened."""
    house.site.reset()
    yield house
    house.site.park()


@pytest.fixture
def plain(opened: Open) -> Iterator[House]:
    """What needs no more than every image has."""
    yield from pristine(opened("plain", PLAIN))


@pytest.fixture
def servers(opened: Open) -> Iterator[House]:
    """Small servers."""
    yield from pristine(opened("servers", SERVERS))


@pytest.fixture
def large(opened: Open) -> Iterator[House]:
    """Programs that take long to install and to start."""
    yield from pristine(opened("large", LARGE))


def begin(house: House, name: str, cache: Cache) -> tuple[Reference, Workload]:
    """Start a scenario's workload as the lab does."""
    reference = load(SCENARIOS / f"{name}.py")
    scenario = reference.scenario
    pid = house.site.start(reference.payload(house.image, cache), scenario.command, scenario.own_network)
    workload = Workload(house.site.host, pid)
    reference.ready(house.site.host, workload)
    return reference, workload


def notices(house: House, name: str, what: str, cache: Cache) -> None:
    """Assert that a scenario's check names the damage."""
    reference, workload = begin(house, name, cache)
    before = reference.remember(workload.host, workload)
    assert before["pid"] == workload.pid
    reference.corrupt(workload.host, workload, what)
    with pytest.raises(AssertionError, match=reference.corruptions[what]):
        reference.check(workload.host, workload, before)


def is_unharmed(house: House, name: str, cache: Cache) -> None:
    """Assert that a scenario's check finds nothing when nothing happened."""
    reference, workload = begin(house, name, cache)
    before = reference.remember(workload.host, workload)
    reference.check(workload.host, workload, before)


@pytest.mark.parametrize(("name", "what"), PLAIN)
def test_damage_is_noticed_in_a_guest(name: str, what: str, plain: House, lab_cache: Cache) -> None:
    notices(plain, name, what, lab_cache)


@pytest.mark.parametrize(("name", "what"), SERVERS)
def test_damage_of_a_server_is_noticed(name: str, what: str, servers: House, lab_cache: Cache) -> None:
    notices(servers, name, what, lab_cache)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "what"), LARGE)
def test_damage_of_a_large_program_is_noticed(name: str, what: str, large: House, lab_cache: Cache) -> None:
    notices(large, name, what, lab_cache)


def test_redis_is_found_unharmed_when_nothing_happened(servers: House, lab_cache: Cache) -> None:
    is_unharmed(servers, "redis", lab_cache)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["memcached", "nginx", "nats", "tmux"])
def test_a_server_is_found_unharmed(name: str, servers: House, lab_cache: Cache) -> None:
    is_unharmed(servers, name, lab_cache)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["postgresql", "node", "java"])
def test_a_large_program_is_found_unharmed(name: str, large: House, lab_cache: Cache) -> None:
    is_unharmed(large, name, lab_cache)


def test_a_workload_that_ends_is_told_from_one_that_is_slow(plain: House, lab_cache: Cache) -> None:
    site = plain.site
    _, workload = begin(plain, "pipes", lab_cache)
    site.host.run(f"kill -STOP {workload.pid}")
    with pytest.raises(AssertionError, match="did not answer 'report' within 1 s"):
        workload.ask(seconds=1)
    site.host.run(f"kill -KILL {workload.pid}")
    with pytest.raises(AssertionError, match=f"process {workload.pid} is gone"):
        workload.ask()


@pytest.mark.parametrize("damage", [True, False])
def test_what_was_damaged_after_a_restore_is_noticed(
    damage: bool, plain: House, lab_cache: Cache, tmp_path: Path
) -> None:
    site = plain.site
    reference, workload = begin(plain, "pipes", lab_cache)
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
