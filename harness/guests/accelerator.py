"""Which accelerator guests run under. `/dev/kvm` proves nothing: on some hosts it opens, `KVM_CREATE_VM` works, and a
stock kernel then hangs or QEMU gives up. So the lab boots one and sees."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from harness.cache import Cache, key_of, sha256_of
from harness.config.models import Accelerator
from harness.deadline import Deadline
from harness.errors import GuestError, HostError
from harness.guests.guest import Boot, Guest, Hardware
from harness.guests.hypervisor import EMBED, Hypervisor

KVM, TCG = "kvm", "tcg"
PROBE_SECONDS = 20.0
"""A guest boots in about 2 s where KVM works, even on a loaded host well within this."""

_LOG = logging.getLogger(__name__)
_DEVICE = Path("/dev/kvm")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_KIND, _FILE = "accelerator", "choice.json"


@dataclass(frozen=True)
class Choice:
    """The accelerator and why, in words for a log."""

    accelerator: str
    reason: str


def choose(
    wanted: Accelerator,
    hypervisor: Hypervisor,
    boot: Boot,
    hardware: Hardware,
    cache: Cache,
    deadline_seconds: float = PROBE_SECONDS,
) -> Choice:
    """The accelerator for this host and this hardware, whose own `accelerator` does not count.

    What a boot told is remembered until the host boots again or QEMU, the kernel or the CPU model is another.
    Raises `HostError` if KVM is demanded and does not work.
    """
    if wanted == TCG:
        return Choice(TCG, "the settings demand it")
    lacking = missing(_DEVICE) if hypervisor.uri == EMBED else None
    if lacking:
        choice = Choice(TCG, lacking)
    else:
        hardware = replace(hardware, accelerator=KVM)
        choice = _remembered(hypervisor, boot, hardware, cache, deadline_seconds)
    _LOG.info("accelerator: %s, because %s", choice.accelerator, choice.reason)
    if wanted == KVM and choice.accelerator != KVM:
        raise HostError(
            f"the settings demand KVM, which does not work here: {choice.reason}",
            hint="set accelerator: auto in kernels.yaml",
        )
    return choice


def missing(device: Path) -> str | None:
    """Why KVM cannot even be tried, in words; None if it can."""
    if not device.exists():
        return f"this host has no {device}"
    if not os.access(device, os.R_OK | os.W_OK):
        return f"this user may not use {device}"
    return None


class _Unsure(Exception):
    """The boot told something about this moment, not about KVM; it is not worth remembering."""


def _remembered(
    hypervisor: Hypervisor, boot: Boot, hardware: Hardware, cache: Cache, seconds: float
) -> Choice:
    key = key_of(
        uri=hypervisor.uri,
        host=_BOOT_ID.read_text().strip(),
        versions=hypervisor.versions,
        kernel=sha256_of(boot.image),
        cpu=hardware.cpu,
    )

    def make(directory: Path) -> None:
        choice = _try_kvm(hypervisor, boot, hardware, seconds)
        (directory / _FILE).write_text(json.dumps(asdict(choice)))

    try:
        return Choice(**json.loads((cache.entry(_KIND, key, make) / _FILE).read_text()))
    except _Unsure as unsure:
        return Choice(TCG, str(unsure))


def _try_kvm(hypervisor: Hypervisor, boot: Boot, hardware: Hardware, seconds: float) -> Choice:
    """Boot, snapshot, reset: what the lab will ask of every guest."""
    with _probe(hypervisor, boot, hardware) as guest:
        try:
            guest.boot(Deadline.after(seconds))
            guest.snapshot()
            guest.reset()
        except GuestError as error:
            return Choice(TCG, f"a guest under KVM does not work: {error}")
        except HostError as error:
            # A CPU model that KVM refuses, or a host without disk space: cheap to ask again.
            raise _Unsure(f"no guest can be started under KVM: {error}") from error
    return Choice(KVM, "a guest booted under it")


@contextlib.contextmanager
def _probe(hypervisor: Hypervisor, boot: Boot, hardware: Hardware) -> Iterator[Guest]:
    guest = Guest(hypervisor, "kvm-probe", boot, hardware)
    try:
        yield guest
    finally:
        guest.close()
        shutil.rmtree(guest.directory)
