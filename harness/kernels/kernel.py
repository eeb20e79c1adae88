"""The kernel: a bootable artifact, known by its hash, with the record of where it came from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.cache import sha256_of
from harness.errors import KernelUnavailable

RECORD = "kernel.json"
IMAGE = "vmlinuz"
CONFIG = "config"
MODULES = "modules"
MODULES_DISK = "modules.img"
INITRD = "initrd.img"


@dataclass(frozen=True)
class Provenance:
    """Where a kernel came from. `packages` maps a package's file or name to the SHA-256 of its .deb.

    `kernel`, `config` are the SHA-256 of the image and of the configuration; `origin` is the archive's URI,
    or the path that kernels.yaml gave.
    """

    origin: str
    kernel: str
    config: str | None = None
    packages: tuple[tuple[str, str], ...] = ()
    version: str | None = None
    suite: str | None = None

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Provenance:
        """Read what `dataclasses.asdict` and JSON made of a provenance."""
        packages = tuple((name, sha256) for name, sha256 in record["packages"])
        return cls(**{**record, "packages": packages})


@dataclass(frozen=True)
class Kernel:
    """One kernel, ready to boot. Paths lie in the cache and are only read.

    `modules` holds `<release>/` with uncompressed modules and depmod's indices, `modules_disk` is the same
    as a read-only ext4 image for the guest's /lib/modules; both are None for a kernel that needs no modules.
    `sha256` is the identity: image, configuration and modules, whatever the label says.
    """

    label: str
    release: str
    version: str | None
    image: Path
    config: Path | None
    modules: Path | None
    modules_disk: Path | None
    initrd: Path
    sha256: str
    provenance: Provenance


def write_record(entry: Path, *, release: str, sha256: str, provenance: Provenance) -> None:
    """Write the provenance record of a kernel assembled in `entry`, with its files' checksums."""
    names = [name for name in (IMAGE, CONFIG, INITRD, MODULES_DISK) if (entry / name).is_file()]
    record = {
        "schema": 1,
        "release": release,
        "sha256": sha256,
        "provenance": asdict(provenance),
        "modules": (entry / MODULES).is_dir(),
        "files": {name: {"sha256": sha256_of(entry / name), "size": _size(entry / name)} for name in names},
    }
    (entry / RECORD).write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")


def read_record(entry: Path, label: str) -> Kernel:
    """The kernel in a cache entry, as `label`.

    Raises `KernelUnavailable` if a file is missing or not what was put there. The modules disk is large and
    mounted by every guest, so only its size is compared.
    """
    record = json.loads((entry / RECORD).read_text())
    for name, expected in record["files"].items():
        path = entry / name
        whole = path.is_file() and _size(path) == expected["size"]
        if not whole or (name != MODULES_DISK and sha256_of(path) != expected["sha256"]):
            raise KernelUnavailable(f"{label}: wrong checksum: {path} is not what was put there")
    modules = bool(record["modules"])
    provenance = Provenance.from_json(record["provenance"])
    return Kernel(
        label=label,
        release=record["release"],
        version=provenance.version,
        image=entry / IMAGE,
        config=entry / CONFIG if CONFIG in record["files"] else None,
        modules=entry / MODULES if modules else None,
        modules_disk=entry / MODULES_DISK if modules else None,
        initrd=entry / INITRD,
        sha256=record["sha256"],
        provenance=provenance,
    )


def _size(path: Path) -> int:
    return path.stat().st_size
