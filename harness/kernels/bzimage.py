"""The header of an x86 kernel image (Documentation/arch/x86/boot.rst)."""

from __future__ import annotations

import struct
from pathlib import Path

from harness.errors import KernelUnavailable

_MAGIC_OFFSET = 0x202
_VERSION_OFFSET = 0x20E
_VERSION_BASE = 0x200
"""The pointer at 0x20e counts from here."""
_LONGEST_VERSION = 512


def release_of(image: Path) -> str:
    """The release (`uname -r`) in a bzImage's header. Raises `KernelUnavailable` if it is no bzImage."""
    try:
        with image.open("rb") as file:
            header = file.read(0x10000)
    except OSError as error:
        raise KernelUnavailable(f"{image}: {error.strerror}") from error
    if len(header) <= _VERSION_OFFSET + 2 or header[_MAGIC_OFFSET : _MAGIC_OFFSET + 4] != b"HdrS":
        raise KernelUnavailable(
            f"{image} is not a bzImage",
            hint="name arch/x86/boot/bzImage of a kernel build, not vmlinux",
        )
    (pointer,) = struct.unpack_from("<H", header, _VERSION_OFFSET)
    start = _VERSION_BASE + pointer
    words = header[start : start + _LONGEST_VERSION].split(b"\0", 1)[0].split()
    if pointer == 0 or not words:
        raise KernelUnavailable(f"{image}: its header names no release")
    return words[0].decode("ascii", "replace")
