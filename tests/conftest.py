"""What the tests marked `vm` share. libvirt's embedded driver allows one root a process, so there is one hypervisor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from stage import Stage

from harness import images, kernels
from harness.cache import Cache
from harness.config import Config, load
from harness.guests.guest import Boot, Guest
from harness.guests.hypervisor import EMBED, Hypervisor, open_hypervisor


@pytest.fixture(scope="session")
def lab_cache() -> Cache:
    """The user's own cache: kernels and images are fetched and built once."""
    return Cache()


@pytest.fixture(scope="session")
def lab_config() -> Config:
    """The project's own kernels.yaml."""
    return load(Path(__file__).parent.parent / "kernels.yaml")


@pytest.fixture(scope="session")
def trixie(lab_cache: Cache, lab_config: Config) -> images.Image:
    """The userland trixie."""
    return images.prepare("trixie", lab_config.userlands["trixie"], lab_config.settings, lab_cache)


@pytest.fixture(scope="session")
def debian_6_12(lab_cache: Cache, lab_config: Config) -> kernels.Kernel:
    """A kernel that every part of the lab works with."""
    label = "debian-6.12"
    return kernels.prepare(label, lab_config.kernels[label], lab_config.settings, lab_cache)[0]


@pytest.fixture(scope="session")
def trixie_boot(trixie: images.Image, debian_6_12: kernels.Kernel) -> Boot:
    """trixie under 6.12."""
    return Boot(debian_6_12.image, debian_6_12.initrd, debian_6_12.modules_disk, trixie.disk)


@pytest.fixture(scope="session")
def hypervisor(lab_cache: Cache) -> Iterator[Hypervisor]:
    """The only one of this process."""
    with open_hypervisor(EMBED, lab_cache) as opened:
        yield opened


@pytest.fixture(scope="session")
def stage(hypervisor: Hypervisor, trixie_boot: Boot) -> Iterator[Stage]:
    """The tests' guest, kept booted."""
    made = Stage(hypervisor, trixie_boot)
    yield made
    made.close()


@pytest.fixture
def guest(stage: Stage) -> Iterator[Guest]:
    """A pristine guest."""
    yield stage.fresh()
    stage.rest()
