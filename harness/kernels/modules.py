"""A kernel's modules: what to keep of them, how to unpack them, in which order they are loaded."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.archive.tool import run

LEFT_OUT = frozenset(
    {"sound", "net/bluetooth", "net/mac80211", "net/nfc", "net/wireless"}
    | {f"drivers/net/{name}" for name in ("ethernet", "phy", "wireless")}
    | {
        f"drivers/{name}"
        for name in ("accel", "ata", "bluetooth", "comedi", "edac", "firewire", "gpu", "hid")
    }
    | {f"drivers/{name}" for name in ("accel", "ata", "bluetooth", "comedi", "edac", "firewire", "gpu")}
    | {f"drivers/{name}" for name in ("hid", "hwmon", "i2c", "iio", "infiniband", "input", "isdn", "leds")}
    | {f"drivers/{name}" for name in ("media", "message", "mfd", "mmc", "mtd", "nvme", "pcmcia", "platform")}
    | {f"drivers/{name}" for name in ("power", "regulator", "scsi", "staging", "thermal", "usb", "video")}
)
"""Directories below `kernel/` for hardware that no guest has; they are most of a kernel's bytes."""
_LINKS = {"build", "source"}
"""Left by `make modules_install`: they point into the build tree."""
_PACKED: dict[str, Callable[[bytes], bytes]] = {".xz": lzma.decompress, ".gz": gzip.decompress}
_ZSTD_BATCH = 200


@dataclass(frozen=True)
class ModuleTree:
    """One release's modules on the host: the directory that holds `modules.dep` and `kernel/`."""

    directory: Path

    def load_order(self, wanted: Iterable[str]) -> list[Path]:
        """The files to insert for `wanted`, dependencies first. What is built in (or unknown) needs no file.

        Soft dependencies count too: ext4 asks for crc32c by name, and an initrd has no modprobe.
        """
        depends = dict(self._depends())
        files = {_module_name(file): file for file in depends}
        before = self._soft_depends()
        aliases = self._aliases()
        order: list[str] = []

        def visit(name: str, path: tuple[str, ...]) -> None:
            file = files.get(_module_name(name))
            if file is None:
                names = aliases.get(_module_name(name), [])
                targets = [target for target in names if _module_name(target) in files]
            else:
                soft = before.get(_module_name(name), [])
                targets = [*soft, *(_module_name(other) for other in reversed(depends[file]))]
            for target in targets:
                if target not in path:
                    visit(target, (*path, target))
            if file is not None and file not in order:
                order.append(file)

        for name in wanted:
            visit(name, (name,))
        return [self.directory / file for file in order]

    def _depends(self) -> Iterator[tuple[str, list[str]]]:
        for line in self._lines("modules.dep"):
            file, _, needs = line.partition(":")
            yield file, needs.split()

    def _soft_depends(self) -> dict[str, list[str]]:
        before: dict[str, list[str]] = {}
        for line in self._lines("modules.softdep"):
            words = line.split()
            if words[:1] == ["softdep"] and "pre:" in words:
                start = words.index("pre:") + 1
                end = words.index("post:", start) if "post:" in words[start:] else len(words)
                before.setdefault(_module_name(words[1]), []).extend(words[start:end])
        return before

    def _aliases(self) -> dict[str, list[str]]:
        aliases: dict[str, list[str]] = {}
        for line in self._lines("modules.alias"):
            words = line.split()
            if len(words) == 3 and words[0] == "alias":
                aliases.setdefault(_module_name(words[1]), []).append(words[2])
        return aliases

    def _lines(self, name: str) -> list[str]:
        path = self.directory / name
        lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
        return [line for line in lines if line and not line.startswith("#")]


def tree_hash(directory: Path) -> str:
    """A hash over names and bytes of all files of a module tree, links into the build tree excepted."""
    digest = hashlib.sha256()
    for path in sorted(_files(directory)):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{content}  {path.relative_to(directory)}\n".encode())
    return digest.hexdigest()


def tree_size(directory: Path) -> int:
    """The bytes of all files of a module tree."""
    return sum(path.stat().st_size for path in _files(directory))


def copy_tree(source: Path, target: Path) -> ModuleTree:
    """Copy a release's modules, without those for absent hardware, uncompressed and indexed by depmod.

    `target` is named after the release.
    """

    def ignored(directory: str, names: list[str]) -> set[str]:
        relative = Path(directory).relative_to(source)
        inside = relative.relative_to("kernel") if relative.parts[:1] == ("kernel",) else None
        # split Debian packages keep the image and its configuration beside the modules
        drop = _LINKS | {"vmlinuz", "System.map", "config"} if not relative.parts else set()
        if inside is not None:
            drop = {name for name in names if str(inside / name) in LEFT_OUT}
        return drop & set(names)

    shutil.copytree(source, target, symlinks=True, ignore=ignored)
    _unpack(target)
    _index(target)
    return ModuleTree(target)


def _unpack(directory: Path) -> None:
    for suffix, decompress in _PACKED.items():
        for path in list(directory.rglob(f"*.ko{suffix}")):
            path.with_suffix("").write_bytes(decompress(path.read_bytes()))
            path.unlink()
    zstd = sorted(directory.rglob("*.ko.zst"))
    for start in range(0, len(zstd), _ZSTD_BATCH):
        run(["zstd", "-d", "-q", "-f", "--rm", *zstd[start : start + _ZSTD_BATCH]], cwd=directory)


def _index(directory: Path) -> None:
    """Run depmod, which looks in /lib/modules or in /usr/lib/modules, as its distribution chose."""
    with tempfile.TemporaryDirectory(prefix="kmatrix-depmod-") as name:
        base = Path(name)
        (base / "usr" / "lib").mkdir(parents=True)
        (base / "lib").symlink_to("usr/lib")
        (base / "usr" / "lib" / "modules").symlink_to(directory.parent.absolute())
        run(["depmod", "-b", base, directory.name], cwd=directory)


def _files(directory: Path) -> Iterator[Path]:
    for parent, names, files in os.walk(directory):
        names[:] = [name for name in names if name not in _LINKS]
        yield from (Path(parent) / file for file in files if (Path(parent) / file).is_file())


def _module_name(file: str) -> str:
    """`kernel/fs/ext4/ext4.ko` → `ext4`; the kernel takes - and _ for the same."""
    return Path(file).name.split(".ko")[0].replace("-", "_")
