"""Kernels from the archive, from packages and from files: assembled, recorded, checked."""

from __future__ import annotations

import gzip
import json
import lzma
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_archive import CONFIG, FakeArchive, Signer, bzimage, deb, kernel_files, module_tree, signer, write

from harness.archive import Source
from harness.archive.tool import run
from harness.cache import Cache, sha256_of
from harness.config import DebKernel, FileKernel, PackageKernel, Settings
from harness.errors import HostError, KernelUnavailable
from harness.kernels import Kernel, debian, prepare, resolve
from harness.kernels.artifacts import find_busybox, is_static
from harness.kernels.bzimage import release_of
from harness.kernels.modules import ModuleTree, copy_tree, tree_hash

OLD = "6.1.0-47-cloud-amd64"
NEW = "7.3.4-cloud-amd64"
SETTINGS = Settings()


@pytest.fixture(scope="module")
def key() -> Iterator[Signer]:
    with signer() as one:
        yield one


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def archive(tmp_path: Path, key: Signer, monkeypatch: pytest.MonkeyPatch) -> FakeArchive:
    """An archive that every suite of every entry is looked up in."""
    made = FakeArchive(tmp_path / "mirror", key)

    def fake_sources(suites: tuple[str, ...], *_: object, **__: object) -> tuple[Source, ...]:
        return tuple(Source(suite, made.uri, keyrings=(key.keyring,)) for suite in suites)

    monkeypatch.setattr(debian, "sources", fake_sources)
    return made


def add_split(archive: FakeArchive, release: str, version: str, *, modules: bool = True) -> None:
    """A kernel the way Debian packages it since 6.19."""
    tree = f"usr/lib/modules/{release}"
    names = [f"linux-{part}-{release}" for part in ("base", "binary", "modules")]
    archive.add(f"linux-image-{release}", version, depends=", ".join([*names, "linux-base (>= 4)"]))
    archive.add(names[1], version, {f"{tree}/vmlinuz": bzimage(release)}, depends=names[0])
    if modules:
        base = {
            "config": CONFIG.format(release=release).encode(),
            "modules.builtin": b"",
            "modules.order": b"",
        }
        base["modules.builtin.modinfo"] = b""
        archive.add(names[0], version, {f"{tree}/{name}": content for name, content in base.items()})
        archive.add(names[2], version, {f"{tree}/kernel/fs/ext4.ko.xz": lzma.compress(b"ext4")})


def spec(package: str, pick: str | None = None) -> PackageKernel:
    return PackageKernel.model_validate({"package": package, "pick": pick, "suite": ["trixie"]})


def listing(initrd: Path) -> str:
    archive = gzip.decompress(initrd.read_bytes())
    done = subprocess.run(["cpio", "-itv", "--quiet"], input=archive, check=True, capture_output=True)
    return done.stdout.decode()


def test_a_package_becomes_a_kernel(archive: FakeArchive, cache: Cache) -> None:
    modules = {
        "kernel/fs/ext4.ko.xz": lzma.compress(b"ext4"),
        "kernel/drivers/net/tun.ko": b"tun",
        "kernel/sound/core/snd.ko": b"snd",
        "kernel/drivers/gpu/drm/drm.ko": b"drm",
    }
    package = archive.add(f"linux-image-{OLD}", "6.1.170-3", kernel_files(OLD, modules))
    archive.publish()
    (kernel,) = prepare("old", spec(f"linux-image-{OLD}"), SETTINGS, cache)
    assert (kernel.label, kernel.release, kernel.version) == ("old", OLD, "6.1.170-3")
    assert kernel.image.read_bytes() == bzimage(OLD)
    assert kernel.config is not None
    assert kernel.modules is not None
    assert OLD in kernel.config.read_text()
    tree = kernel.modules / OLD
    assert sorted(str(path.relative_to(tree)) for path in tree.rglob("*.ko*")) == [
        "kernel/drivers/net/tun.ko",
        "kernel/fs/ext4.ko",
    ]
    assert (tree / "kernel/fs/ext4.ko").read_bytes() == b"ext4"
    assert kernel.provenance.packages == ((f"linux-image-{OLD}", sha256_of(package)),)
    assert kernel.provenance.kernel == sha256_of(kernel.image)
    assert kernel.provenance.suite == "trixie"
    assert kernel.provenance.origin == archive.uri


def test_a_split_package_becomes_a_kernel(archive: FakeArchive, cache: Cache) -> None:
    add_split(archive, NEW, "7.3.4-1")
    archive.publish()
    (candidate,) = resolve("new", spec("linux-image-7.*", "newest"), SETTINGS, cache)
    assert (candidate.release, candidate.version, candidate.cached) == (NEW, "7.3.4-1", False)
    assert candidate.size == sum(path.stat().st_size for path in (archive.root / "pool").iterdir())
    assert not (cache.root / "debs").exists()
    (kernel,) = prepare("new", spec("linux-image-7.*", "newest"), SETTINGS, cache)
    assert len(kernel.provenance.packages) == 4
    assert kernel.sha256 == candidate.sha256
    assert kernel.modules is not None
    assert (kernel.modules / NEW / "kernel/fs/ext4.ko").read_bytes() == b"ext4"
    assert not (kernel.modules / NEW / "vmlinuz").exists()
    assert resolve("new", spec("linux-image-7.*", "newest"), SETTINGS, cache)[0].cached


def test_newest_oldest_and_all_go_by_version(archive: FakeArchive, cache: Cache) -> None:
    for number, version in ((9, "6.1.9-1"), (10, "6.1.10-1"), (100, "6.1.100-1")):
        archive.add(f"linux-image-6.1.0-{number}-amd64", version)
    archive.add("linux-image-6.1.0-100-rt-amd64", "6.1.100-1")
    archive.add("linux-image-6.1.0-100-amd64-dbg", "6.1.100-1")
    archive.add("linux-image-6.1.0-100-amd64-unsigned", "6.1.100-1")
    archive.add("linux-image-6.1-amd64", "6.1.100-1", depends="linux-image-6.1.0-100-amd64 (= 6.1.100-1)")
    archive.publish()

    def labels(package: str, pick: str | None) -> list[tuple[str, str]]:
        return [(one.label, one.release) for one in resolve("k", spec(package, pick), SETTINGS, cache)]

    assert labels("linux-image-6.1*", "newest") == [("k", "6.1.0-100-amd64")]
    assert labels("linux-image-6.1*", "oldest") == [("k", "6.1.0-9-amd64")]
    assert labels("linux-image-6.1.0-*0-amd64", "all") == [
        ("k-6.1.0-10-amd64", "6.1.0-10-amd64"),
        ("k-6.1.0-100-amd64", "6.1.0-100-amd64"),
    ]
    assert labels("linux-image-6.1-amd64", None) == [("k", "6.1.0-100-amd64")]


def test_a_package_that_is_gone_is_named_with_those_that_are_there(
    archive: FakeArchive, cache: Cache
) -> None:
    archive.add("linux-image-6.1.0-50-cloud-amd64", "6.1.176-1")
    archive.add("linux-image-6.1.0-50-rt-amd64", "6.1.176-1")
    archive.publish()
    with pytest.raises(KernelUnavailable) as caught:
        resolve("k", spec("linux-image-6.1.0-9-cloud-amd64"), SETTINGS, cache)
    assert str(caught.value) == (
        "linux-image-6.1.0-9-cloud-amd64 is not in trixie; it has: linux-image-6.1.0-50-cloud-amd64 6.1.176-1"
    )
    with pytest.raises(KernelUnavailable, match=r"linux-image-5\.\* matches nothing in trixie; it has: "):
        resolve("k", spec("linux-image-5.*", "newest"), SETTINGS, cache)


def test_a_kernel_whose_modules_are_gone_is_passed_over(archive: FakeArchive, cache: Cache) -> None:
    add_split(archive, "7.1.3-amd64", "7.1.3-1", modules=False)
    add_split(archive, "7.0.4-amd64", "7.0.4-1")
    archive.publish()
    (candidate,) = resolve("k", spec("linux-image-7.*", "newest"), SETTINGS, cache)
    assert candidate.release == "7.0.4-amd64"
    with pytest.raises(
        KernelUnavailable, match=r"linux-modules-7\.1\.3-amd64 is gone; whole are: .*7\.0\.4-1$"
    ):
        resolve("k", spec("linux-image-7.1.3-amd64"), SETTINGS, cache)


def test_local_packages_have_the_identity_of_those_in_the_archive(
    archive: FakeArchive, cache: Cache, tmp_path: Path
) -> None:
    package = archive.add(f"linux-image-{OLD}", "6.1.170-3", kernel_files(OLD))
    archive.publish()
    (fetched,) = prepare("a", spec(f"linux-image-{OLD}"), SETTINGS, cache)
    (local,) = prepare("b", DebKernel(deb=(package,)), SETTINGS, cache)
    assert local.sha256 == fetched.sha256
    assert local.provenance.origin == str(package)
    assert (local.release, local.version) == (OLD, "6.1.170-3")


def test_a_local_package_without_its_modules_is_refused(cache: Cache, tmp_path: Path) -> None:
    binary = deb(tmp_path, f"linux-binary-{NEW}", "1", {f"usr/lib/modules/{NEW}/vmlinuz": bzimage(NEW)})
    with pytest.raises(KernelUnavailable, match="there are no modules for 7"):
        prepare("k", DebKernel(deb=(binary,)), SETTINGS, cache)
    empty = deb(tmp_path, f"linux-image-{NEW}", "1", {})
    with pytest.raises(KernelUnavailable, match="there is no kernel in linux-image-7"):
        prepare("k", DebKernel(deb=(empty,)), SETTINGS, cache)
    assert not list((cache.root / "kernels").glob("*"))


def test_a_built_kernel_with_modules(cache: Cache, tmp_path: Path) -> None:
    write(tmp_path / "bzImage", bzimage("6.9.0-patched"))
    tree = module_tree(tmp_path / "inst" / "lib/modules/6.9.0-patched", {"kernel/fs/fat.ko": b"fat"})
    (tree / "build").symlink_to("/nowhere")
    files = FileKernel(image=tmp_path / "bzImage", modules=tmp_path / "inst")
    (kernel,) = prepare("patched", files, SETTINGS, cache)
    assert kernel.release == "6.9.0-patched"
    assert (kernel.version, kernel.config) == (None, None)
    assert kernel.modules is not None
    assert not (kernel.modules / "6.9.0-patched" / "build").is_symlink()
    (tree / "kernel/fs/fat.ko").write_bytes(b"FAT")
    (changed,) = prepare("patched", files, SETTINGS, cache)
    assert changed.sha256 != kernel.sha256


def test_a_built_kernel_without_modules(cache: Cache, tmp_path: Path) -> None:
    write(tmp_path / "bzImage", bzimage("3.11.0"))
    write(tmp_path / ".config", CONFIG.format(release="3.11.0").encode())
    files = FileKernel(image=tmp_path / "bzImage", config=tmp_path / ".config")
    (kernel,) = prepare("k", files, SETTINGS, cache)
    assert (kernel.modules, kernel.modules_disk) == (None, None)
    assert kernel.config is not None
    assert "has-modules-disk" not in listing(kernel.initrd)


def test_another_kernels_modules_are_refused(cache: Cache, tmp_path: Path) -> None:
    write(tmp_path / "bzImage", bzimage("6.9.0"))
    module_tree(tmp_path / "mods" / "6.8.0", {})
    with pytest.raises(KernelUnavailable, match=r"mods has no modules for 6\.9\.0"):
        resolve("k", FileKernel(image=tmp_path / "bzImage", modules=tmp_path / "mods"), SETTINGS, cache)


def test_the_release_is_read_from_the_header(tmp_path: Path) -> None:
    write(tmp_path / "bzImage", bzimage("7.3.4+deb13-cloud-amd64"))
    assert release_of(tmp_path / "bzImage") == "7.3.4+deb13-cloud-amd64"
    write(tmp_path / "vmlinux", b"\x7fELF" + bytes(4096))
    with pytest.raises(KernelUnavailable, match="vmlinux is not a bzImage"):
        release_of(tmp_path / "vmlinux")


@pytest.fixture
def kernel(cache: Cache, tmp_path: Path) -> Kernel:
    write(tmp_path / "bzImage", bzimage("6.9.0"))
    modules = {f"kernel/{name}.ko": name.encode() for name in ("virtio_blk", "virtio_pci", "ext4", "tun")}
    module_tree(tmp_path / "mods" / "6.9.0", modules)
    files = FileKernel(image=tmp_path / "bzImage", modules=tmp_path / "mods")
    return prepare("k", files, SETTINGS, cache)[0]


def test_the_initrd_holds_what_the_root_disk_needs(kernel: Kernel) -> None:
    names = listing(kernel.initrd)
    assert "bin/sh -> busybox" in names
    assert "-rwxr-xr-x   1 root     root" in names
    wanted = ["00-virtio_pci.ko", "01-virtio_blk.ko", "02-ext4.ko"]
    assert [line.split("modules/")[1] for line in names.splitlines() if "modules/" in line] == wanted
    assert "has-modules-disk" in names


def test_the_modules_disk_is_plain_ext4(kernel: Kernel) -> None:
    assert kernel.modules_disk is not None
    header = run(["dumpe2fs", "-h", kernel.modules_disk])
    features = next(line for line in header.splitlines() if line.startswith("Filesystem features:")).split()[
        2:
    ]
    assert not {"has_journal", "metadata_csum", "metadata_csum_seed", "orphan_file", "64bit"} & set(features)
    shown = run(["debugfs", "-R", "cat /6.9.0/kernel/tun.ko", kernel.modules_disk])
    assert shown == "tun"


def test_the_same_kernel_is_built_to_the_same_bytes(kernel: Kernel, tmp_path: Path) -> None:
    files = FileKernel(image=tmp_path / "bzImage", modules=tmp_path / "mods")
    again = prepare("k", files, SETTINGS, Cache(tmp_path / "other"))[0]
    assert again.initrd != kernel.initrd
    assert sha256_of(again.initrd) == sha256_of(kernel.initrd)


def test_a_damaged_entry_is_made_again(kernel: Kernel, cache: Cache, tmp_path: Path) -> None:
    files = FileKernel(image=tmp_path / "bzImage", modules=tmp_path / "mods")
    kernel.image.write_bytes(b"rotten")
    (again,) = prepare("k", files, SETTINGS, cache)
    assert again == kernel
    assert again.image.read_bytes() == bzimage("6.9.0")


def test_a_full_disk_leaves_nothing_behind(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "bzImage", bzimage("6.9.0"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.kernels.catalogue.assemble", full)
    with pytest.raises(HostError, match="no space left on the disk"):
        prepare("k", FileKernel(image=tmp_path / "bzImage"), SETTINGS, cache)
    assert not list((cache.root / "kernels").iterdir())


def test_the_record_names_what_the_entry_is(kernel: Kernel) -> None:
    record = json.loads((kernel.image.parent / "kernel.json").read_text())
    assert record["sha256"] == kernel.sha256
    assert record["files"]["vmlinuz"]["sha256"] == kernel.provenance.kernel
    assert set(record["files"]) == {"vmlinuz", "initrd.img", "modules.img"}


def test_modules_load_after_what_they_need(tmp_path: Path) -> None:
    write(
        tmp_path / "modules.dep",
        b"fs/ext4.ko: fs/jbd2.ko crc/crc16.ko\nfs/jbd2.ko:\ncrc/crc16.ko:\narch/crc32c-intel.ko:\n"
        b"drivers/virtio_blk.ko: drivers/virtio_ring.ko drivers/virtio.ko\n"
        b"drivers/virtio_ring.ko: drivers/virtio.ko\ndrivers/virtio.ko:\n",
    )
    write(tmp_path / "modules.softdep", b"# soft\nsoftdep ext4 pre: crc32c post: other\n")
    write(tmp_path / "modules.alias", b"alias crc32c crc32c_intel\nalias crc32c crc32c_generic\n")
    order = ModuleTree(tmp_path).load_order(["virtio_pci", "virtio_blk", "ext4"])
    assert [path.name for path in order] == [
        "virtio.ko",
        "virtio_ring.ko",
        "virtio_blk.ko",
        "crc32c-intel.ko",
        "crc16.ko",
        "jbd2.ko",
        "ext4.ko",
    ]


def test_packed_modules_are_unpacked(tmp_path: Path) -> None:
    source = module_tree(
        tmp_path / "1.0",
        {
            "kernel/a.ko.xz": lzma.compress(b"a"),
            "kernel/b.ko.gz": gzip.compress(b"b"),
            "kernel/c.ko": b"c",
        },
    )
    write(tmp_path / "d.ko", b"d")
    run(["zstd", "-q", tmp_path / "d.ko", "-o", source / "kernel/d.ko.zst"])
    before = tree_hash(source)
    target = copy_tree(source, tmp_path / "out" / "1.0").directory
    assert {path.name: path.read_bytes() for path in target.rglob("*.ko*")} == {
        f"{name}.ko": name.encode() for name in "abcd"
    }
    assert (target / "modules.dep").is_file()
    assert tree_hash(source) == before


def test_busybox_must_be_static(tmp_path: Path) -> None:
    assert is_static(find_busybox())
    assert not is_static(Path(run(["which", "apt-get"]).strip()))
    script = tmp_path / "busybox"
    script.write_text("#!/bin/sh\n")
    assert not is_static(script)


def test_init_is_a_shell_script_without_mistakes() -> None:
    script = Path(debian.__file__).parent / "initrd" / "init.sh"
    run([find_busybox(), "sh", "-n", script])
    assert script.read_text().startswith("#!/bin/busybox sh\n")
