"""One virtual machine: boot, snapshot, reset, run a command, hand data in and out, and say what became of it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.deadline import Deadline
from harness.errors import BootTimeout, GuestHang, GuestLost, HostError, QemuDied
from harness.guests import console as consoles
from harness.guests.agent import Agent, CommandResult
from harness.guests.bindings import libvirt, libvirt_qemu
from harness.guests.domain import (
    AGENT_PORT,
    AgentPort,
    Console,
    Device,
    Disk,
    DomainSpec,
    OutPort,
    domain_xml,
)

if TYPE_CHECKING:
    from harness.guests.hypervisor import Hypervisor

INPUT_SIZE = 1 << 30
"""The size that the input disk pretends to have; the file is sparse."""
_SNAPSHOT = "ready"
_OFF = int(libvirt.VIR_DOMAIN_SHUTOFF)
_STOPPED = re.compile(r"\(((?:internal|io)-error)\)")
_FLAGS = re.compile(r"\b[RE]FL=([0-9a-f]+)")
"""RFL in 64-bit mode, EFL in 32-bit mode."""
_AGENT_RETURNS = 10.0
"""Seconds within which the agent answers after a reset; 0.05 s is usual."""


@dataclass(frozen=True)
class Hardware:
    """What a guest is made of, apart from kernel and root disk."""

    accelerator: str
    cpu: str
    memory: int
    """Bytes."""
    vcpus: int = 1
    kernel_arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Boot:
    """What a guest boots."""

    image: Path
    initrd: Path | None
    modules_disk: Path | None
    root_disk: Path


class Guest:
    """A domain of our own. Not for use by two threads at once."""

    def __init__(self, hypervisor: Hypervisor, name: str, boot: Boot, hardware: Hardware) -> None:
        """Prepare the files; nothing runs yet. `name` is unique within the hypervisor."""
        self._hypervisor = hypervisor
        self.directory = hypervisor.directory / name
        self.directory.mkdir()
        self._overlay = self.directory / "root.qcow2"
        self.input = self.directory / "input"
        self.out = self.directory / "out"
        self.console = consoles.Console(self.directory / "console.log")
        self._boot = boot
        self.spec = DomainSpec(
            name=f"{hypervisor.directory.name}-{name}",
            accelerator=hardware.accelerator,
            cpu=hardware.cpu,
            memory=hardware.memory,
            vcpus=hardware.vcpus,
            image=boot.image,
            initrd=boot.initrd,
            devices=self._devices(),
            kernel_arguments=hardware.kernel_arguments,
        )
        self._domain: libvirt.virDomain | None = None
        self._agent: Agent | None = None

    def _devices(self) -> tuple[Device, ...]:
        devices: list[Device] = [
            Console(self.console.path),
            Disk("root", self._overlay, "qcow2", read_only=False),
            Disk("input", self.input, "raw", read_only=True),
        ]
        if self._boot.modules_disk is not None:
            devices.append(Disk("modules", self._boot.modules_disk, "raw", read_only=True))
        return (*devices, AgentPort(), OutPort(self.out))

    def boot(self, deadline: Deadline) -> None:
        """Start it and wait until its init announced readiness and the agent answers.

        Raises `BootTimeout`, `KernelPanic`, `KernelOops`, `QemuDied`.
        """
        self._make_disks()
        try:
            self._domain = self._hypervisor.connection.createXML(domain_xml(self.spec))
        except libvirt.libvirtError as error:
            raise HostError(f"libvirt cannot start a guest: {error}", hint="kmatrix doctor") from error
        try:
            self._agent = Agent(self._hypervisor.connection, self._domain, AGENT_PORT, self.watch)
        except libvirt.libvirtError as error:
            raise QemuDied(f"the guest's QEMU ended as soon as it was started: {error}") from error
        while consoles.READY not in self.console.read():
            self.watch()
            said = self.console.read()
            if consoles.BOOT_FAILED in said:
                line = next(line for line in said.splitlines() if consoles.BOOT_FAILED in line)
                raise BootTimeout(line.decode("utf-8", "replace"), console=consoles.tail(said))
            if deadline.passed:
                raise BootTimeout(
                    f"the guest was not ready within {deadline.seconds:g} s", console=consoles.tail(said)
                )
            time.sleep(0.05)
        while not self._agent.alive():
            self.watch()
            if deadline.passed:
                raise BootTimeout(
                    f"the guest's agent did not answer within {deadline.seconds:g} s",
                    console=consoles.tail(self.console.read()),
                )

    def _make_disks(self) -> None:
        backing = f"backing_file={self._boot.root_disk},backing_fmt=raw"
        command = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", backing, str(self._overlay)]
        self._overlay.unlink(missing_ok=True)
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise HostError(f"qemu-img cannot make a disk: {made.stderr.strip()}")
        with self.input.open("wb") as file:
            file.truncate(INPUT_SIZE)
        self.out.write_bytes(b"")

    def monitor(self, command: str) -> str:
        """One command of QEMU's human monitor. Raises `QemuDied` if there is no QEMU any more."""
        try:
            return self._ask_qemu(command)
        except libvirt.libvirtError as error:
            self.watch()
            raise QemuDied(f"QEMU does not answer {command!r}: {error}") from error

    def _ask_qemu(self, command: str) -> str:
        reply: str = libvirt_qemu.qemuMonitorCommand(
            self._domain, command, libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP
        )
        return reply

    def snapshot(self) -> None:
        """Remember this very moment, memory and disk, as the state that `reset` returns to."""
        if said := self.monitor(f"savevm {_SNAPSHOT}").strip():
            raise HostError(f"QEMU cannot snapshot the guest: {said}")

    def park(self) -> None:
        """Stop its processor: a workload left behind must not burn the host's."""
        self.monitor("stop")

    def unpark(self) -> None:
        """Let it go on, with its clock set to the present and its random numbers reseeded."""
        self.monitor("cont")
        self._live_agent.wake(Deadline.after(_AGENT_RETURNS))

    def reset(self) -> None:
        """Return to the snapshot: a pristine kernel in about 0.1 s, its clock set to the present and its
        random numbers reseeded.

        A guest that owes an answer is better given up: a command that it never took from its port would reach
        its new self.
        """
        # Stopped first: what the old kernel still says and sends must not be taken for the new one's.
        self.monitor("stop")
        if said := self.monitor(f"loadvm {_SNAPSHOT}").strip():
            raise QemuDied(f"QEMU cannot reset the guest: {said}")
        self.console.mark()
        self._live_agent.forget()
        self.empty_out()
        self.unpark()

    def run(self, *argv: str, deadline: Deadline, stdin: bytes = b"") -> CommandResult:
        """Run a command to its end. Raises `DeadlineExceeded` and every `GuestError`."""
        return self._live_agent.run(argv, deadline, stdin)

    def insert(self, data: Path) -> None:
        """Lay a tar onto the input disk, from its first byte on."""
        with data.open("rb") as source, self.input.open("r+b") as disk:
            shutil.copyfileobj(source, disk, 1 << 20)

    def empty_out(self) -> None:
        """What the guest writes to its out port from now on starts at the beginning of `out`."""
        os.truncate(self.out, 0)

    def write(self, path: str, data: bytes, deadline: Deadline) -> None:
        """Write a small file in the guest."""
        self._live_agent.write(path, data, deadline)

    @property
    def _live_agent(self) -> Agent:
        if self._agent is None:
            raise HostError(f"guest {self.spec.name} was never booted")
        return self._agent

    def watch(self) -> None:
        """Raise if QEMU is gone or the guest's kernel reports trouble on its console."""
        if trouble := self.console.trouble():
            raise trouble
        state = self._state()
        if state == libvirt.VIR_DOMAIN_PAUSED and (why := self._stopped_by_qemu()):
            raise QemuDied(f"QEMU stopped the guest: {why}", console=consoles.tail(self.console.read()))
        if state not in (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_PAUSED):
            raise QemuDied("the guest's QEMU ended on its own", console=consoles.tail(self.console.read()))

    def _state(self) -> int:
        try:
            return int(self._domain.state()[0]) if self._domain is not None else _OFF
        except libvirt.libvirtError:
            return _OFF

    def _stopped_by_qemu(self) -> str | None:
        """`internal-error` if KVM or the emulator is at a loss, `io-error` if the host's disk is full.

        libvirt knows only that the guest is paused, which `park` does as well.
        """
        try:
            said = self._ask_qemu("info status")
        except libvirt.libvirtError:
            return "it does not answer"
        found = _STOPPED.search(said)
        return found[1] if found else None

    def diagnose(self) -> None:
        """After an agent went silent: raise what is the matter, `GuestHang` or `GuestLost` at least.

        A processor that halts with interrupts on is idle: its kernel lives and only the agent is gone. One that
        never halts in a second, or halts with interrupts off, makes no progress for anybody: where a busy
        workload leaves room for others, init has said that the agent ended, and `watch` has heard it.
        """
        for _ in range(20):
            self.watch()
            registers = self.monitor("info registers")
            flags = _FLAGS.search(registers)
            interrupts_on = flags is not None and int(flags[1], 16) & 0x200
            if "HLT=1" in registers and interrupts_on:
                raise GuestLost(
                    "the guest's agent is silent while its kernel is idle",
                    console=consoles.tail(self.console.read()),
                )
            time.sleep(0.05)
        raise GuestHang(
            "the guest's processor never rests and its agent is silent",
            console=consoles.tail(self.console.read()),
        )

    @property
    def qemu_pid(self) -> int | None:
        """QEMU's process id, where libvirt keeps a pid file that we can read."""
        files = self._hypervisor.root.glob(f"run/**/{self.spec.name}.pid")
        return next((int(file.read_text()) for file in files), None)

    def close(self) -> None:
        """End it. Its files stay until the hypervisor is closed, but for the disks."""
        if self._agent is not None:
            self._agent.close()
        if self._domain is not None:
            with contextlib.suppress(libvirt.libvirtError):
                self._domain.destroyFlags(libvirt.VIR_DOMAIN_DESTROY_DEFAULT)
            self._domain = None
        for file in (self._overlay, self.input, self.out):
            file.unlink(missing_ok=True)
