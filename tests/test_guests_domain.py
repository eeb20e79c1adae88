"""The domain's XML, compared with files that were read by a person. `KMATRIX_GOLDEN=write pytest` writes them anew."""

from __future__ import annotations

import dataclasses
import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from harness.guests.domain import AgentPort, Console, Device, Disk, DomainSpec, OutPort, domain_xml, processor

GOLDEN = Path(__file__).parent / "golden"
PLACE = Path("/run/guests/0-3")


def spec(accelerator: str, *, modules: bool, arguments: tuple[str, ...] = ()) -> DomainSpec:
    devices: list[Device] = [
        Console(PLACE / "console.log"),
        Disk("root", PLACE / "root.qcow2", "qcow2", read_only=False),
        Disk("input", PLACE / "input", "raw", read_only=True),
    ]
    if modules:
        devices.append(Disk("modules", Path("/cache/modules.img"), "raw", read_only=True))
    return DomainSpec(
        name="ab12cd-0-3",
        accelerator=accelerator,
        cpu=processor("Haswell-noTSX", accelerator),
        memory=512 << 20,
        vcpus=1,
        image=Path("/cache/vmlinuz"),
        initrd=Path("/cache/initrd.img"),
        devices=(*devices, AgentPort(), OutPort(PLACE / "out")),
        kernel_arguments=arguments,
    )


SPECS = {
    "tcg": spec("tcg", modules=True),
    "kvm": spec("kvm", modules=True),
    "built-in": dataclasses.replace(spec("tcg", modules=False), initrd=None),
    "arguments": spec("tcg", modules=True, arguments=("mitigations=off", 'dyndbg="file a&b.c +p"')),
}


@pytest.mark.parametrize("name", SPECS)
def test_the_xml_is_the_golden_file(name: str) -> None:
    golden = GOLDEN / f"domain-{name}.xml"
    made = domain_xml(SPECS[name]) + "\n"
    if os.environ.get("KMATRIX_GOLDEN") == "write":
        golden.write_text(made)
    assert made == golden.read_text()


def test_only_an_emulated_guest_is_kept_from_its_tsc() -> None:
    assert "tsc=unstable notsc clocksource=hpet" in SPECS["tcg"].command_line
    assert "tsc" not in SPECS["kvm"].command_line
    assert '<timer name="hpet" present="yes" />' in domain_xml(SPECS["tcg"])


@pytest.mark.parametrize(
    ("cpu", "accelerator", "wanted"),
    [
        ("Nehalem", "tcg", "Nehalem,-cx16"),
        ("Nehalem,+avx2", "tcg", "Nehalem,+avx2,-cx16"),
        ("Nehalem,+cx16", "tcg", "Nehalem,+cx16"),
        ("Nehalem,-cx16", "tcg", "Nehalem,-cx16"),
        ("Nehalem", "kvm", "Nehalem"),
    ],
)
def test_only_an_emulated_guest_is_kept_from_cmpxchg16b(cpu: str, accelerator: str, wanted: str) -> None:
    assert processor(cpu, accelerator) == wanted


def test_features_of_the_processor_are_asked_for_or_refused() -> None:
    xml = ET.fromstring(domain_xml(dataclasses.replace(SPECS["tcg"], cpu="Nehalem,+avx2,-x2apic")))
    assert xml.findtext("cpu/model") == "Nehalem"
    assert [(one.get("policy"), one.get("name")) for one in xml.findall("cpu/feature")] == [
        ("require", "avx2"),
        ("disable", "x2apic"),
    ]


def test_what_is_in_a_name_is_no_xml() -> None:
    hostile = dataclasses.replace(SPECS["tcg"], kernel_arguments=("</cmdline><boom/>&",))
    cmdline = ET.fromstring(domain_xml(hostile)).findtext("os/cmdline")
    assert cmdline is not None
    assert cmdline.endswith(" </cmdline><boom/>&")


def test_a_user_can_overrule_the_labs_kernel_arguments() -> None:
    words = spec("tcg", modules=True, arguments=("loglevel=7", "panic=5")).command_line.split()
    assert words.index("loglevel=7") > words.index("loglevel=4")
    assert words.index("panic=5") > words.index("panic=0")


def test_every_disk_has_a_letter_of_its_own() -> None:
    disks = ET.fromstring(domain_xml(SPECS["tcg"])).findall("devices/disk")
    assert {disk.findtext("serial"): disk.find("target").get("dev") for disk in disks} == {  # type: ignore[union-attr]
        "root": "vda",
        "input": "vdb",
        "modules": "vdc",
    }
    assert [disk.findtext("serial") for disk in disks if disk.find("readonly") is None] == ["root"]
