"""The choice of an accelerator where no guest need boot, and with guests that do as the test says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.cache import Cache
from harness.errors import BootTimeout, GuestError, HostError, QemuDied
from harness.guests import accelerator
from harness.guests.accelerator import Choice
from harness.guests.guest import Boot, Hardware

Choose = Callable[..., Choice]


class World:
    """A host whose guests do as told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failure: Exception | None = None
        self.boots = 0
        self.cpu = "Haswell-noTSX"
        self.uri = "qemu:///embed"
        (path / "vmlinuz").write_bytes(b"a kernel")

    def choose(self, wanted: Any = "auto") -> Choice:  # noqa: ANN401
        hypervisor: Any = SimpleNamespace(uri=self.uri, directory=self.path, versions={"qemu": "7.2.0"})
        boot = Boot(self.path / "vmlinuz", None, None, self.path / "disk")
        hardware = Hardware("tcg", self.cpu, 512 << 20)
        return accelerator.choose(wanted, hypervisor, boot, hardware, Cache(self.path / "cache"), 5)

    def guest(self, _hypervisor: object, name: str, _boot: Boot, hardware: Hardware) -> SimpleNamespace:
        assert hardware.accelerator == "kvm"
        directory = self.path / name
        directory.mkdir()

        def boot(_deadline: object) -> None:
            self.boots += 1
            if self.failure:
                raise self.failure

        def nothing() -> None:
            pass

        return SimpleNamespace(directory=directory, boot=boot, snapshot=nothing, reset=nothing, close=nothing)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    device = tmp_path / "kvm"
    device.touch()
    monkeypatch.setattr(accelerator, "_DEVICE", device)
    monkeypatch.setattr(accelerator, "Guest", made.guest)
    return made


def test_kvm_that_works_is_chosen_and_remembered(world: World) -> None:
    assert world.choose() == world.choose("kvm") == Choice("kvm", "a guest booted under it")
    assert world.boots == 1


@pytest.mark.parametrize(
    "failure", [BootTimeout("not ready within 5 s"), QemuDied("QEMU stopped the guest: internal-error")]
)
def test_kvm_that_deceives_is_found_out_and_remembered(world: World, failure: GuestError) -> None:
    world.failure = failure
    choice = world.choose()
    assert choice == Choice("tcg", f"a guest under KVM does not work: {failure}")
    assert world.choose() == choice
    with pytest.raises(HostError, match="demand KVM, which does not work here") as caught:
        world.choose("kvm")
    assert caught.value.hint == "set accelerator: auto in kernels.yaml"
    assert world.boots == 1
    assert not (world.path / "kvm-probe").exists()


def test_what_is_no_answer_about_kvm_is_not_remembered(world: World) -> None:
    world.failure = HostError("libvirt cannot start a guest: no space")
    assert world.choose() == Choice("tcg", f"no guest can be started under KVM: {world.failure}")
    world.failure = None
    assert world.choose().accelerator == "kvm"


def test_an_answer_holds_for_its_kernel_its_cpu_and_its_host_only(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.choose()
    world.cpu = "EPYC"
    world.choose()
    (world.path / "vmlinuz").write_bytes(b"another kernel")
    world.choose()
    (world.path / "boot_id").write_text("another boot")
    monkeypatch.setattr(accelerator, "_BOOT_ID", world.path / "boot_id")
    world.choose()
    world.choose()
    assert world.boots == 4


def test_emulation_can_be_demanded(world: World) -> None:
    assert world.choose("tcg") == Choice("tcg", "the settings demand it")
    assert world.boots == 0


def test_a_host_without_the_device(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "_DEVICE", Path("/no/kvm"))
    assert world.choose() == Choice("tcg", "this host has no /no/kvm")
    with pytest.raises(HostError, match="has no /no/kvm"):
        world.choose("kvm")
    world.uri = "qemu+ssh://host/system"
    assert world.choose().accelerator == "kvm", "another host's device cannot be seen from here"


def test_a_user_who_may_not_use_the_device(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    assert world.choose().reason == f"this user may not use {world.path / 'kvm'}"
