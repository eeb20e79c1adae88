"""A small signed Debian archive on disk, and kernel packages that dpkg-deb makes of next to nothing."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

CONFIG = "#\n# Linux/x86 {release} Kernel Configuration\n#\nCONFIG_64BIT=y\nCONFIG_VIRTIO_BLK=m\n"


def bzimage(release: str) -> bytes:
    """The header of a kernel image that calls itself `release`."""
    header = bytearray(0x1000)
    header[0x1FE:0x200] = b"\x55\xaa"
    header[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", header, 0x20E, 0x400)
    text = f"{release} (somebody@somewhere) #1 SMP".encode() + b"\0"
    header[0x600 : 0x600 + len(text)] = text
    return bytes(header)


def module_tree(directory: Path, files: Mapping[str, bytes]) -> Path:
    """A release's module directory with `files`, and what depmod wants to see beside them."""
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        write(directory / name, b"")
    for name, content in files.items():
        write(directory / name, content)
    return directory


def write(path: Path, content: bytes) -> None:
    """Write a file and the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def deb(directory: Path, name: str, version: str, files: Mapping[str, bytes], depends: str = "") -> Path:
    """Build a .deb with these files in `directory`."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "root"
        control = (
            f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: nobody <n@example.org>\n"
        )
        control += f"Depends: {depends}\n" if depends else ""
        write(root / "DEBIAN" / "control", (control + "Description: a test\n").encode())
        for path, content in files.items():
            write(root / path, content)
        root.chmod(0o755)
        target = directory / f"{name}_{version}_amd64.deb"
        target.parent.mkdir(parents=True, exist_ok=True)
        command = ["dpkg-deb", "-Znone", "--root-owner-group", "-b", str(root), str(target)]
        subprocess.run(command, check=True, capture_output=True)
    return target


def kernel_files(release: str, modules: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
    """The files of a linux-image package from before 6.19."""
    tree = f"lib/modules/{release}"
    return {
        f"boot/vmlinuz-{release}": bzimage(release),
        f"boot/config-{release}": CONFIG.format(release=release).encode(),
        f"{tree}/modules.order": b"",
        f"{tree}/modules.builtin": b"",
        f"{tree}/modules.builtin.modinfo": b"",
        **{f"{tree}/{name}": content for name, content in (modules or {"kernel/fs/fat.ko": b"fat"}).items()},
    }


@dataclass(frozen=True)
class Signer:
    """A key of its own, in a GnuPG home of its own."""

    home: Path
    keyring: Path

    def sign(self, release: Path) -> None:
        """Write InRelease beside Release."""
        target = release.with_name("InRelease")
        target.unlink(missing_ok=True)
        self.gpg("--clearsign", "-o", str(target), str(release))

    def gpg(self, *arguments: str) -> None:
        """Run gpg in this home."""
        command = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", "--passphrase", "", *arguments]
        subprocess.run(command, check=True, capture_output=True)


@contextmanager
def signer() -> Iterator[Signer]:
    """A new key, forgotten afterwards."""
    home = Path(tempfile.mkdtemp(prefix="km-"))
    try:
        one = Signer(home, home / "archive.gpg")
        one.gpg("--pinentry-mode", "loopback", "--quick-gen-key", "archive@example.org", "ed25519", "sign")
        one.gpg("--export", "-o", str(one.keyring))
        yield one
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)
        shutil.rmtree(home, ignore_errors=True)


@dataclass(frozen=True)
class FakeArchive:
    """A directory with `dists/` and `pool/`, as a mirror has."""

    root: Path
    signer: Signer

    @property
    def uri(self) -> str:
        """What goes into sources.list."""
        return f"file://{self.root}"

    def add(
        self, name: str, version: str, files: Mapping[str, bytes] | None = None, depends: str = ""
    ) -> Path:
        """Put a package into the pool; `publish` lists it."""
        return deb(self.root / "pool", name, version, files or {}, depends)

    def publish(self, suite: str = "trixie", *, valid_days: int = 7) -> None:
        """Write the index of all packages in the pool and a signed Release file."""
        dist = self.root / "dists" / suite
        index = "\n".join(self._record(path) for path in sorted((self.root / "pool").glob("*.deb"))).encode()
        name = "main/binary-amd64/Packages"
        write(dist / name, index)
        write(dist / f"{name}.gz", gzip.compress(index, mtime=0))
        now = datetime.now(UTC)
        lines = [
            "Origin: Debian",
            "Label: Debian",
            f"Suite: {suite}",
            f"Codename: {suite}",
            f"Date: {_date(now - timedelta(days=30))}",
            f"Valid-Until: {_date(now + timedelta(days=valid_days))}",
            "Architectures: amd64",
            "Components: main",
            "SHA256:",
        ]
        for path in (dist / name, dist / f"{name}.gz"):
            content = path.read_bytes()
            lines.append(f" {hashlib.sha256(content).hexdigest()} {len(content)} {path.relative_to(dist)}")
        write(dist / "Release", ("\n".join(lines) + "\n").encode())
        self.signer.sign(dist / "Release")

    def _record(self, path: Path) -> str:
        control = subprocess.run(
            ["dpkg-deb", "-f", str(path)], check=True, capture_output=True, text=True
        ).stdout
        content = path.read_bytes()
        return (
            f"{control}Filename: {path.relative_to(self.root)}\nSize: {len(content)}\n"
            f"SHA256: {hashlib.sha256(content).hexdigest()}\n"
        )


def _date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True).replace("GMT", "UTC")
