"""All that a run works with, put together once: kernels, images, scenarios, the hypervisor, the run's folder."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.cache import Cache
from harness.config import Timeouts
from harness.guests.guest import Boot, Guest, Hardware
from harness.guests.hypervisor import Hypervisor
from harness.images import Image
from harness.kernels import Kernel
from harness.kernels.kconfig import read_options
from harness.matrix.cell import Confirm, Isolation
from harness.matrix.ledger import KernelIdentity
from harness.matrix.workloads import Subject
from harness.migration.checkpoint import CheckpointStore, Origin
from harness.migration.criu import Criu
from harness.migration.site import Site

Visitor = Callable[[Site, str, str], None]
"""Given a guest, its userland and its kernel's label; leaves the guest as it was at its snapshot."""


@dataclass(frozen=True)
class Lab:
    """What the work needs; nothing in it changes during a run but what is learnt of CRIU."""

    run_id: str
    directory: Path
    """The run's folder."""
    cache: Cache
    hypervisor: Hypervisor
    hardware: Hardware
    timeouts: Timeouts
    isolation: Isolation
    kernels: dict[str, Kernel]
    images: dict[str, Image]
    scenarios: dict[str, Subject]
    store: CheckpointStore
    confirm: Confirm = Confirm.CELL
    options: dict[str, dict[str, str] | None] = field(default_factory=dict)
    """By kernel label: the configuration symbols, None if the configuration is unknown."""
    features: dict[tuple[str, str, str], bool] = field(default_factory=dict)
    """By userland, kernel label and name: what `criu check --feature` said, once a guest has been asked."""
    visitors: list[Visitor] = field(default_factory=list)
    """Called with every guest that was just booted and snapshot, before it is used."""
    booted: Iterator[int] = field(default_factory=itertools.count)
    """Numbers of guests, for their names; shared with a lab that is made of this one."""
    criu: dict[str, Criu] = field(default_factory=dict)
    """By image: its CRIU, once a guest has been asked."""

    def guest(self, userland: str, kernel: str, name: str) -> Guest:
        """A new guest, not yet booted. `name` is unique within the run."""
        found, image = self.kernels[kernel], self.images[userland]
        boot = Boot(found.image, found.initrd, found.modules_disk, image.disk)
        return Guest(self.hypervisor, name, boot, self.hardware)

    def site(self, userland: str, kernel: str, name: str) -> Site:
        """A new guest, booted and prepared. Raises every `GuestError`; the guest is then ended."""
        site = Site(self.guest(userland, kernel, name), self.timeouts)
        image = self.images[userland]
        try:
            site.open(image.criu_path, image.criu_version, self.criu.get(image.sha256))
            self.criu[image.sha256] = site.criu
        except BaseException:
            site.close()
            raise
        return site

    def identity(self, label: str) -> KernelIdentity:
        """Which kernel a label stands for."""
        kernel = self.kernels[label]
        return KernelIdentity(kernel.release, kernel.version, kernel.sha256)

    def origin(self, userland: str, scenario: str, kernel: str) -> Origin:
        """What a checkpoint of this scenario, made in this run, is made of."""
        image, source = self.images[userland], self.kernels[kernel]
        return Origin(
            run=self.run_id,
            userland=userland,
            userland_sha256=image.sha256,
            criu=image.criu_version,
            kernel_sha256=source.sha256,
            kernel_release=source.release,
            scenario=scenario,
            scenario_sha256=self.scenarios[scenario].sha256,
            accelerator=self.hardware.accelerator,
            cpu=self.hardware.cpu,
            kernel_command_line=" ".join(self.hardware.kernel_arguments),
        )


def kernel_options(kernel: Kernel) -> dict[str, str] | None:
    """A kernel's configuration symbols, None if its configuration is unknown."""
    return read_options(kernel.config.read_text()) if kernel.config is not None else None
