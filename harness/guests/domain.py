"""The guest's hardware: each device is one small type that yields its libvirt XML, and its kernel arguments if any.

The CPU model is pinned and the same on both sides of a migration. `Haswell-noTSX` is the default because it has AVX2
but no SMAP, with which a 3.11 kernel dies at boot; QEMU's `-cpu max` has it.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

AGENT_PORT = "kmatrix.agent"
OUT_PORT = "kmatrix.out"


def _element(tag: str, *children: ET.Element, text: str | None = None, **attributes: str) -> ET.Element:
    element = ET.Element(tag, attributes)
    element.text = text
    element.extend(children)
    return element


class Device(Protocol):
    """Something plugged into the guest."""

    def xml(self) -> ET.Element:
        """The device's element under `<devices>`."""

    def kernel_arguments(self) -> tuple[str, ...]:
        """What the guest's kernel must be told about it."""


@dataclass(frozen=True)
class Console:
    """ttyS0, written to a file from the first message on."""

    log: Path

    def xml(self) -> ET.Element:
        return _element(
            "serial",
            _element("source", path=str(self.log), append="off"),
            _element("target", port="0"),
            type="file",
        )

    def kernel_arguments(self) -> tuple[str, ...]:
        # loglevel 4 lets errors and worse through, an oops whole: every character on a serial port is a trip out of
        # the guest, and warnings are in dmesg.
        return ("console=ttyS0", "loglevel=4", "printk.time=1")


@dataclass(frozen=True)
class Disk:
    """A virtio-blk disk, found in the guest by its serial and not by its letter."""

    serial: str
    file: Path
    format: str
    read_only: bool

    def xml(self) -> ET.Element:
        disk = _element(
            "disk",
            # Guests are thrown away: a flush would only cost time.
            _element("driver", name="qemu", type=self.format, cache="unsafe"),
            _element("source", file=str(self.file)),
            _element("target", dev=_DISK_NAMES[self.serial], bus="virtio"),
            _element("serial", text=self.serial),
            type="file",
            device="disk",
        )
        if self.read_only:
            disk.append(_element("readonly"))
        return disk

    def kernel_arguments(self) -> tuple[str, ...]:
        return ()


_DISK_NAMES = {"root": "vda", "input": "vdb", "modules": "vdc"}


@dataclass(frozen=True)
class AgentPort:
    """The guest agent's virtio-serial port; libvirt owns the host's end."""

    def xml(self) -> ET.Element:
        return _element("channel", _element("target", type="virtio", name=AGENT_PORT), type="unix")

    def kernel_arguments(self) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True)
class OutPort:
    """A virtio-serial port whose host end is a plain file: how checkpoints and logs leave the guest."""

    file: Path

    def xml(self) -> ET.Element:
        return _element(
            "channel",
            # O_APPEND, so that the host may empty the file under QEMU's feet.
            _element("source", path=str(self.file), append="on"),
            _element("target", type="virtio", name=OUT_PORT),
            type="file",
        )

    def kernel_arguments(self) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True)
class DomainSpec:
    """A guest before it is started."""

    name: str
    accelerator: str
    cpu: str
    """As QEMU's `-cpu` has it."""
    memory: int
    """Bytes."""
    vcpus: int
    image: Path
    initrd: Path | None
    devices: tuple[Device, ...]
    kernel_arguments: tuple[str, ...] = field(default=())

    @property
    def command_line(self) -> str:
        """The guest kernel's command line."""
        own = [argument for device in self.devices for argument in device.kernel_arguments()]
        # A panicked kernel stays where it is (panic=0), so that the lab can tell a panic from a dead QEMU.
        return " ".join([*own, "panic=0", *clock_arguments(self.accelerator), *self.kernel_arguments])


def clock_arguments(accelerator: str) -> tuple[str, ...]:
    """What makes a guest's clock go back with a `loadvm`.

    TCG's TSC is the host's, kept monotonic by `cpu_ticks_prev`, which no snapshot holds (QEMU 7.2,
    softmmu/cpu-timers.c): after a `loadvm` the timers go back and the TSC does not, the guest's time jumps by all the
    time that this QEMU ever ran, and after some 20 s of it a healthy kernel reports soft lockups and stalls. The HPET
    is part of the snapshot. `tsc=unstable` came with 4.13, `notsc` before; KVM saves the TSC itself. (`-icount` would
    do as well, but with `shift=auto` a guest that naps 500 times 2 ms took 17 s for it.)
    """
    return () if accelerator == "kvm" else ("tsc=unstable", "notsc", "clocksource=hpet")


def processor(cpu: str, accelerator: str) -> str:
    """`cpu` as QEMU's `-cpu` has it, without the instruction that emulation gets wrong.

    TCG's `cmpxchg16b` works out the flags from what an earlier instruction has left (QEMU 7.2: its helper goes by
    `cc_op`, which the translator has not stored yet), and they may be half of an address. Mostly the next instruction
    sets them anew. An interrupt in between keeps them, and a healthy kernel is single-stepped, or dies of a double
    fault, right behind the `cmpxchg16b` of its kmalloc: once in some thousand attempts, a false red. A kernel that
    finds no such instruction has another way. Who asks for it (`,+cx16`) gets it.
    """
    return cpu if accelerator == "kvm" or "cx16" in cpu else f"{cpu},-cx16"


def domain_xml(spec: DomainSpec) -> str:
    """The libvirt domain: `pc` machine, no firmware menu, no USB, no video, no network."""
    os = _element("os", _element("type", arch="x86_64", machine="pc", text="hvm"))
    os.append(_element("kernel", text=str(spec.image)))
    if spec.initrd is not None:
        os.append(_element("initrd", text=str(spec.initrd)))
    os.append(_element("cmdline", text=spec.command_line))
    devices = _element(
        "devices",
        _element("controller", type="usb", model="none"),
        _element("memballoon", model="none"),
        _element("video", _element("model", type="none")),
    )
    devices.extend(device.xml() for device in spec.devices)
    domain = _element(
        "domain",
        _element("name", text=spec.name),
        _element("memory", unit="b", text=str(spec.memory)),
        _element("vcpu", text=str(spec.vcpus)),
        os,
        _element("features", _element("acpi")),
        _cpu(spec.cpu),
        _element("clock", _element("timer", name="hpet", present="yes"), offset="utc"),
        _element("on_poweroff", text="destroy"),
        _element("on_reboot", text="destroy"),
        _element("on_crash", text="preserve"),
        devices,
        type="kvm" if spec.accelerator == "kvm" else "qemu",
    )
    ET.indent(domain)
    return ET.tostring(domain, encoding="unicode")


def _cpu(cpu: str) -> ET.Element:
    model, *features = cpu.split(",")
    policies = {"-": "disable", "+": "require"}
    # check=none: TCG lacks pcid, x2apic, invpcid and tsc-deadline of a Haswell and says so; nothing here needs them.
    return _element(
        "cpu",
        _element("model", text=model, fallback="forbid"),
        *(_element("feature", policy=policies[word[0]], name=word[1:]) for word in features),
        mode="custom",
        match="exact",
        check="none",
    )
