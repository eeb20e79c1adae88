"""Makes a kernel bootable: its initrd, its modules disk, its place in the cache."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from harness.archive.tool import run
from harness.cache import sha256_of
from harness.errors import HostError
from harness.kernels.kernel import CONFIG, IMAGE, INITRD, MODULES, MODULES_DISK
from harness.kernels.modules import LEFT_OUT, ModuleTree, copy_tree
from harness.kernels.parts import Parts

ROOT_DISK_MODULES = ("virtio_pci", "virtio_blk", "ext4")
"""What a guest needs to mount its root disk."""
BUILD = 1
"""Raised when the way of building changes, so that entries made before are not used any more."""
_APPLETS = ("sh", "cat", "insmod", "mount", "poweroff", "sleep", "switch_root", "sync", "umount")
_UUID = "6b6d6174-7269-7800-0000-000000000001"
"""The same for every modules disk: the same modules make the same bytes."""
_EPOCH = 0
_BLOCK = 4096
_INODE = 256
_PT_INTERP = 3
_OLD_FEATURES = (
    "none,extent,filetype,sparse_super,large_file,dir_index,ext_attr,flex_bg,extra_isize,huge_file"
)
"""Only what ext4 could do in 3.11: mke2fs's own defaults grow with every release of e2fsprogs."""


def build_key() -> dict[str, object]:
    """What, besides the kernel itself, decides how the artifacts come out."""
    return {
        "build": BUILD,
        "init": _init_script(),
        "busybox": sha256_of(find_busybox()),
        "left_out": sorted(LEFT_OUT),
        "root_disk": ROOT_DISK_MODULES,
    }


def assemble(parts: Parts, entry: Path) -> None:
    """Put a bootable kernel into `entry`: image, configuration, modules and their disk, initrd."""
    shutil.copyfile(parts.image, entry / IMAGE)
    if parts.config is not None:
        shutil.copyfile(parts.config, entry / CONFIG)
    tree = None
    if parts.modules is not None:
        tree = copy_tree(parts.modules, entry / MODULES / parts.release)
        make_modules_disk(entry / MODULES, entry / MODULES_DISK)
    make_initrd(tree, entry / INITRD, entry / ".initrd")


def make_initrd(tree: ModuleTree | None, initrd: Path, scratch: Path) -> None:
    """Write the initrd: busybox, our init, and the modules that mounting the root disk takes."""
    for directory in ("bin", "dev", "modules", "proc", "root", "sys"):
        (scratch / directory).mkdir(parents=True)
    shutil.copyfile(find_busybox(), scratch / "bin" / "busybox")
    for applet in _APPLETS:
        (scratch / "bin" / applet).symlink_to("busybox")
    (scratch / "init").write_text(_init_script())
    for program in ("bin/busybox", "init"):
        (scratch / program).chmod(0o755)
    if tree is not None:
        (scratch / "has-modules-disk").touch()
        for number, module in enumerate(tree.load_order(ROOT_DISK_MODULES)):
            shutil.copyfile(module, scratch / "modules" / f"{number:02}-{module.name}")
    _date_everything(scratch)
    archive = initrd.with_suffix(".cpio")
    listing = "\n".join(sorted(str(path.relative_to(scratch)) for path in scratch.rglob("*")))
    run(cpio_command(archive.absolute()), cwd=scratch, stdin=listing + "\n")
    # level 1: unpacking time is what a boot pays, and the guests' processor is emulated
    run(["gzip", "-n", "-1", "-S", ".gz", archive], cwd=initrd.parent)
    archive.with_name(archive.name + ".gz").rename(initrd)
    shutil.rmtree(scratch)


def make_modules_disk(modules: Path, disk: Path) -> None:
    """Write an ext4 image with the content of `modules`, just large enough; the guest mounts it read-only."""
    _date_everything(modules)
    files = [path.lstat().st_size for path in modules.rglob("*")]
    size = sum(-(-length // _BLOCK) * _BLOCK + _INODE for length in files)
    inodes = len(files) + 64
    blocks = (size + inodes * _INODE) * 103 // 100 // _BLOCK + 1024
    run(
        mke2fs_command(modules, disk, blocks=blocks, inodes=inodes),
        cwd=modules,
        environment={"E2FSPROGS_FAKE_TIME": "1", "SOURCE_DATE_EPOCH": "1"},
    )


def mke2fs_command(modules: Path, disk: Path, *, blocks: int, inodes: int) -> Sequence[str | Path]:
    """The command that makes the modules disk, of `blocks` 4 KiB blocks."""
    features = ["-O", _OLD_FEATURES, "-E", f"root_owner=0:0,hash_seed={_UUID}", "-U", _UUID, "-L", "modules"]
    shape = ["-b", str(_BLOCK), "-I", str(_INODE), "-N", str(inodes), "-m", "0"]
    return ["mke2fs", "-q", "-F", "-t", "ext4", *features, *shape, "-d", modules, disk, str(blocks)]


def cpio_command(archive: Path) -> Sequence[str | Path]:
    """The command that packs the names on its standard input; root owns the files, whoever packs them."""
    return ["cpio", "-o", "-H", "newc", "--reproducible", "-R", "+0:+0", "--quiet", "-O", archive]


def find_busybox() -> Path:
    """The host's busybox. Raises `HostError` if there is none, or one that needs shared libraries."""
    hint = "sudo apt-get install busybox-static"
    found = shutil.which("busybox", path=f"{os.environ.get('PATH', os.defpath)}:/bin:/usr/bin")
    if found is None:
        raise HostError("busybox is not installed", hint=hint)
    if not is_static(Path(found)):
        raise HostError(f"{found} is not statically linked, so it cannot run in an initrd", hint=hint)
    return Path(found)


def is_static(program: Path) -> bool:
    """Whether a 64 bit little-endian ELF program asks for no dynamic loader."""
    with program.open("rb") as file:
        header = file.read(64)
        if header[:6] != b"\x7fELF\x02\x01":
            return False
        (offset,) = struct.unpack_from("<Q", header, 0x20)
        size, count = struct.unpack_from("<HH", header, 0x36)
        file.seek(offset)
        segments = file.read(size * count)
    return all(struct.unpack_from("<I", segments, size * i)[0] != _PT_INTERP for i in range(count))


def _init_script() -> str:
    return resources.files("harness.kernels").joinpath("initrd", "init.sh").read_text()


def _date_everything(directory: Path) -> None:
    """Give all files one date, so that the same content makes the same archive or image."""
    for path in [directory, *directory.rglob("*")]:
        os.utime(path, (_EPOCH, _EPOCH), follow_symlinks=False)
