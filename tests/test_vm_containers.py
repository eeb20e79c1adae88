"""Container engines in real guests: a container is moved, its checks pass, and each damage to it is noticed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
from harness.migration.engine import engine_of
from harness.migration.site import Site
from harness.scenario import Facts, Workload

pytestmark = pytest.mark.vm

SCENARIOS = Path(__file__).parent.parent / "scenarios"
REFERENCES = {
    name: load(SCENARIOS / f"{name}.py")
    for engine in ("runc", "crun", "podman", "lxc")
    for name in (engine, f"{engine}_tcp")
}
DAMAGE = [("runc", "tls"), ("runc", "wakeup"), ("runc_tcp", "reconnected"), ("runc_tcp", "options")]
OTHERS = ("crun_tcp", "podman_tcp", "lxc_tcp")


@dataclass(frozen=True)
class Bench:
    """A guest, and what its workloads are built for."""

    site: Site
    image: Image
    cache: Cache

    def begin(self, reference: Reference) -> tuple[Workload, Facts]:
        """Start a scenario's container in a pristine guest as the lab does."""
        self.site.reset()
        payload = reference.payload(self.image, self.cache)
        workload, _ = engine_of(reference.scenario).start(self.site, payload, reference.scenario)
        reference.ready(self.site.host, workload)
        return workload, reference.remember(self.site.host, workload)

    def move(self, reference: Reference, directory: Path) -> tuple[Workload, Workload, Facts]:
        """Checkpoint it and restore it in a pristine guest: the workload before and after, and what was true."""
        engine, scenario = engine_of(reference.scenario), reference.scenario
        workload, before = self.begin(reference)
        dumped = engine.dump(self.site, workload, scenario)
        logs = self.site.logs(directory)
        assert DUMP_DONE in logs["dump"].read_text()
        assert engine.complaint(dumped, logs["criu"].read_text()) is None
        data = directory / "checkpoint.tar"
        self.site.pack(data)
        manifest = Manifest(
            origin=Origin(**{field.name: "test" for field in fields(Origin)}),
            sha256=sha256_of(data),
            bytes=data.stat().st_size,
            pid=workload.pid,
            uptime=dumped.uptime,
            dump_command=dumped.argv,
            workload_command=(),
            facts=before,
            dump_seconds=dumped.seconds,
            image_bytes=0,
        )
        self.site.reset()
        checkpoint = Checkpoint(manifest, data)
        self.site.insert(checkpoint)
        engine.restore(self.site, checkpoint, scenario)
        assert RESTORE_DONE in self.site.logs(directory)["restore"].read_text()
        return workload, engine.restored(self.site, checkpoint, scenario), before


@dataclass(frozen=True)
class Workshop:
    """Where benches are made."""

    hypervisor: Hypervisor
    kernel: Kernel
    config: Config
    cache: Cache

    def bench(self, name: str, references: Iterable[Reference]) -> Iterator[Bench]:
        """A guest with the packages of these scenarios and no others, prepared for the lab's work."""
        packages = {package for one in references for package in one.scenario.needs.packages}
        userland, settings = self.config.userlands["trixie"], self.config.settings
        image = images.prepare("trixie", userland, settings, self.cache, None, packages)
        # several guests may share the machine with this one, and podman is a large program
        patient = {"boot": BOOT_SECONDS, "start": 120.0, "dump": 120.0, "restore": 120.0}
        timeouts = settings.timeouts.model_copy(update=patient)
        boot = Boot(self.kernel.image, self.kernel.initrd, self.kernel.modules_disk, image.disk)
        site = Site(Guest(self.hypervisor, name, boot, HARDWARE), timeouts)
        try:
            site.open(image.criu_path, image.criu_version)
            site.snapshot()
            yield Bench(site, image, self.cache)
        finally:
            site.close()


@pytest.fixture(scope="module")
def workshop(hypervisor: Hypervisor, debian_6_12: Kernel, lab_config: Config, lab_cache: Cache) -> Workshop:
    """What benches are made of."""
    return Workshop(hypervisor, debian_6_12, lab_config, lab_cache)


@pytest.fixture(scope="module")
def runc(workshop: Workshop) -> Iterator[Bench]:
    """A guest with runc."""
    yield from workshop.bench("runc", [REFERENCES["runc"]])


@pytest.fixture(scope="module")
def engines(workshop: Workshop) -> Iterator[Bench]:
    """A guest with every engine."""
    yield from workshop.bench("engines", REFERENCES.values())


@pytest.mark.parametrize("name", ["runc", "runc_tcp"])
def test_a_container_of_runc_is_found_unharmed_after_a_move(name: str, runc: Bench, tmp_path: Path) -> None:
    reference = REFERENCES[name]
    first, moved, before = runc.move(reference, tmp_path)
    assert (first.own_pid, moved.own_pid) == (1, 1)
    reference.check(runc.site.host, moved, before)


@pytest.mark.parametrize(("name", "what"), DAMAGE)
def test_damage_in_a_container_is_noticed_after_a_move(
    name: str, what: str, runc: Bench, tmp_path: Path
) -> None:
    reference = REFERENCES[name]
    _, moved, before = runc.move(reference, tmp_path)
    reference.corrupt(runc.site.host, moved, what)
    with pytest.raises(AssertionError, match=reference.corruptions[what]):
        reference.check(runc.site.host, moved, before)


def test_a_container_that_was_started_again_is_noticed(runc: Bench) -> None:
    """Its first process has the same pid, 1, in every life of the container."""
    reference = REFERENCES["runc"]
    _, before = runc.begin(reference)
    second, _ = runc.begin(reference)
    with pytest.raises(AssertionError, match="this is another process"):
        reference.check(runc.site.host, second, before | {"ticks": 0})


def test_a_container_that_ended_is_noticed(runc: Bench) -> None:
    reference = REFERENCES["runc"]
    workload, before = runc.begin(reference)
    runc.site.host.run(f"kill -KILL {workload.pid}")
    with pytest.raises(AssertionError, match="is gone"):
        reference.check(runc.site.host, workload, before)
    with pytest.raises(AssertionError, match="runc has no container"):
        engine_of(reference.scenario).restored(runc.site, None, reference.scenario)  # type: ignore[arg-type]


def test_a_runtime_without_criu_is_found_out(runc: Bench, tmp_path: Path) -> None:
    """Debian's runc has it; a runtime of the same name that does not says so, and CRIU writes no log."""
    reference = REFERENCES["runc"]
    engine = engine_of(reference.scenario)
    workload, _ = runc.begin(reference)
    runc.site.lay({"/usr/local/bin/runc": "#!/bin/sh\necho 'unknown command checkpoint' >&2\nexit 1\n"})
    runc.site.host.run("chmod +x /usr/local/bin/runc")
    done = engine.dump(runc.site, workload, reference.scenario)
    logs = runc.site.logs(tmp_path)
    assert done.returncode == 1
    assert "dump" not in logs
    assert engine.incapable(logs["criu"].read_text()) == "unknown command checkpoint"


@pytest.mark.slow
@pytest.mark.parametrize("damage", [None, "options"])
@pytest.mark.parametrize("name", OTHERS)
def test_other_engines_move_connections_and_damage_is_noticed(
    name: str, damage: str | None, engines: Bench, tmp_path: Path
) -> None:
    reference = REFERENCES[name]
    _, moved, before = engines.move(reference, tmp_path)
    assert moved.own_pid == 1
    if damage is None:
        reference.check(engines.site.host, moved, before)
        return
    reference.corrupt(engines.site.host, moved, damage)
    with pytest.raises(AssertionError, match=reference.corruptions[damage]):
        reference.check(engines.site.host, moved, before)
