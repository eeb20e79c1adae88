"""What a kernel's configuration lacks, in words."""

from __future__ import annotations

from harness.kernels import shortcomings
from harness.kernels.kconfig import NEEDS, read_options


def config(release: str = "6.1.0", **changes: str | None) -> str:
    """A configuration with everything on, then `changes` (None: not set)."""
    options: dict[str, str | None] = {option: "y" for need in NEEDS for option in need.options}
    lines = [f"# Linux/x86 {release} Kernel Configuration"]
    for option, value in {**options, **changes}.items():
        lines.append(f"CONFIG_{option}={value}" if value else f"# CONFIG_{option} is not set")
    return "\n".join(lines) + "\n"


def test_nothing_is_missing_from_a_full_configuration() -> None:
    assert shortcomings(config()) == []
    assert shortcomings(config(VIRTIO_BLK="m", EXT4_FS="m")) == []


def test_checkpoint_restore_off_is_said_in_words() -> None:
    assert shortcomings(config(CHECKPOINT_RESTORE=None)) == [
        "CONFIG_CHECKPOINT_RESTORE is off: this kernel cannot be a source or a destination"
    ]


def test_an_option_that_is_not_mentioned_is_off() -> None:
    found = shortcomings("# Linux/x86 6.1.0 Kernel Configuration\n")
    assert "CONFIG_VIRTIO_BLK is off: the guest cannot boot it, it finds no root disk" in found
    assert len(found) == len(NEEDS)


def test_options_are_not_missed_in_kernels_older_than_they_are() -> None:
    young = {"TIME_NS": None, "KCMP": None, "USERFAULTFD": None, "PROC_CHILDREN": None}
    assert shortcomings(config("3.11.0", **young)) == []
    assert len(shortcomings(config("5.10.0", **young))) == 3
    assert len(shortcomings(config("6.1.0", **young))) == 4


def test_one_of_several_ways_to_filter_packets_will_do() -> None:
    assert shortcomings(config(NF_TABLES=None)) == []
    assert shortcomings(config(NF_TABLES=None, IP_NF_IPTABLES=None)) == [
        "CONFIG_NF_TABLES and CONFIG_IP_NF_IPTABLES are off: "
        "CRIU cannot hold back packets: TCP connections may be reset"
    ]


def test_a_module_that_does_not_come_along_is_missing() -> None:
    (line,) = shortcomings(config(VIRTIO_BLK="m"), modules=False)
    assert line.startswith("CONFIG_VIRTIO_BLK is modular, and no modules come with it: ")


def test_options_are_read_with_their_values() -> None:
    text = (
        'CONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\nCONFIG_D="a b"\nCONFIG_E=512\nCONFIG_F=n\nrubbish\n'
    )
    assert read_options(text) == {"A": "y", "B": "m", "D": "a b", "E": "512"}
