"""Checkpoints: the images of one scenario dumped on one kernel, with a manifest, kept by content."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.cache import Cache, key_of, sha256_of
from harness.errors import CheckpointDamaged

_DATA = "checkpoint.tar"
_MANIFEST = "manifest.json"
_KIND = "checkpoints"
KEEP_SECONDS = 14 * 24 * 3600.0
"""How long the checkpoints of an unfinished run wait for it to be resumed."""
_ADDRESS = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Origin:
    """All that decides what a checkpoint holds. Two checkpoints with one origin are interchangeable."""

    run: str
    """Checkpoints are made anew for every run, or a dump that began to fail would go unseen."""
    userland: str
    userland_sha256: str
    criu: str
    kernel_sha256: str
    kernel_release: str
    scenario: str
    scenario_sha256: str
    accelerator: str
    cpu: str
    kernel_command_line: str

    @property
    def key(self) -> str:
        """The name under which it is looked up."""
        return key_of(**asdict(self))


@dataclass(frozen=True)
class Manifest:
    """What a checkpoint is and how it was made. CRIU's own inventory names no kernel."""

    origin: Origin
    sha256: str
    """Of the tar: work directory and CRIU's images."""
    bytes: int
    pid: int
    uptime: str
    """The source guest's uptime at the dump, seconds as /proc/uptime has them."""
    dump_command: tuple[str, ...]
    workload_command: tuple[str, ...]
    facts: dict[str, Any]
    """What the scenario remembered."""
    dump_seconds: float
    image_bytes: int

    @property
    def address(self) -> str:
        """The content's name. The manifest is a part of it, with the tar's checksum: what was remembered belongs to
        the memory that was dumped."""
        return key_of(**self.as_json())

    def as_json(self) -> dict[str, Any]:
        """For the manifest's file."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Manifest:
        """Read `as_json` back. Raises KeyError or TypeError on another shape."""
        return cls(
            **{
                **record,
                "origin": Origin(**record["origin"]),
                "dump_command": tuple(record["dump_command"]),
                "workload_command": tuple(record["workload_command"]),
            }
        )


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in the store."""

    manifest: Manifest
    data: Path

    def verify(self) -> None:
        """Raise `CheckpointDamaged` unless the data are what was dumped."""
        if not self.data.is_file():
            raise CheckpointDamaged(f"{self.data.name} of {self.manifest.origin.scenario} is gone")
        size = self.data.stat().st_size
        if size != self.manifest.bytes:
            raise CheckpointDamaged(
                f"the checkpoint has {size} bytes, its manifest says {self.manifest.bytes}"
            )
        if sha256_of(self.data) != self.manifest.sha256:
            raise CheckpointDamaged("the checkpoint's checksum is not its manifest's")


class CheckpointStore:
    """Checkpoints by content; an index leads from an origin to the content."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._index = cache.root / _KIND / "index"

    def put(self, manifest: Manifest, data: Path) -> Checkpoint:
        """Move `data` into the store. A second checkpoint of the same origin replaces the first in the index."""

        # As it will be read: a check must not see a tuple now and a list when the run is resumed.
        text = json.dumps(manifest.as_json())
        manifest = Manifest.from_json(json.loads(text))

        def make(directory: Path) -> None:
            shutil.move(data, directory / _DATA)
            (directory / _MANIFEST).write_text(text)

        address = manifest.address
        entry = self._cache.entry(_KIND, address, make)
        self._index.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", prefix=".", dir=self._index, delete=False) as temporary:
            temporary.write(address)
        Path(temporary.name).rename(self._index / manifest.origin.key)
        return Checkpoint(manifest, entry / _DATA)

    def get(self, origin: Origin) -> Checkpoint | None:
        """The checkpoint with this origin, verified; None if there is none or what there is is damaged."""
        address = self._address(origin)
        if address is None:
            return None
        entry = self._cache.path(_KIND, address)
        try:
            manifest = Manifest.from_json(json.loads((entry / _MANIFEST).read_text()))
            found = Checkpoint(manifest, entry / _DATA)
            if manifest.origin != origin:
                raise CheckpointDamaged("the manifest is another checkpoint's")
            if manifest.address != address:
                raise CheckpointDamaged("the manifest was changed")
            found.verify()
        except (CheckpointDamaged, FileNotFoundError, KeyError, TypeError, ValueError):
            self.drop(origin)
            return None
        return found

    def drop(self, origin: Origin) -> None:
        """Forget a checkpoint, because it is damaged or no longer wanted."""
        if (address := self._address(origin)) is not None:
            self._cache.drop(_KIND, address)
        (self._index / origin.key).unlink(missing_ok=True)

    def prune(self, seconds: float = KEEP_SECONDS) -> None:
        """Forget what no run has wanted for so long: checkpoints of runs that were killed and never resumed."""
        oldest = time.time() - seconds
        for path in [*(self._cache.root / _KIND).glob("*"), *self._index.glob("*")]:
            with contextlib.suppress(FileNotFoundError):  # another run prunes as well
                if path.stat().st_mtime > oldest:
                    continue
                if path.parent == self._index:
                    path.unlink()
                elif _ADDRESS.fullmatch(path.name):
                    self._cache.drop(_KIND, path.name)

    def _address(self, origin: Origin) -> str | None:
        """Where the index says that a checkpoint is; None if it says nothing that makes sense."""
        try:
            address = (self._index / origin.key).read_text()
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        return address if _ADDRESS.fullmatch(address) else None
