"""Source packages: what upstream released, as a Debian suite carries it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from debian.deb822 import Sources
from debian.debian_support import Version

from harness.archive.apt import Apt
from harness.archive.sources import Source
from harness.cache import Cache, sha256_of
from harness.errors import KernelUnavailable

_ORIG = ".orig.tar."
_ROOM = 32 << 20


@dataclass(frozen=True)
class SourcePackage:
    """One version of a source package, as the archive's signed index describes it. Size in bytes."""

    name: str
    version: str
    suite: str
    file: str
    """The tar as upstream released it, without Debian's patches."""
    sha256: str
    size: int


class SourceApt(Apt):
    """apt for the source packages of one suite."""

    KIND = "deb-src"

    def versions(self, name: str) -> list[SourcePackage]:
        """Every version of a source package, oldest first; empty if the suite has none."""
        self.update()
        text = self._apt("apt-cache", "showsrc", "--only-source", name)
        return sorted(self._found(name, text), key=lambda package: Version(package.version))

    def download_tar(self, package: SourcePackage) -> Path:
        """The upstream tar in the cache, its checksum verified. Raises `KernelUnavailable` if it cannot be had."""

        def make(directory: Path) -> None:
            self._cache.require(package.size + _ROOM, f"the source of {package.name} {package.version}")
            wanted = f"{package.name}={package.version}"
            for attempt in self._attempts():
                with attempt:
                    # not the .dsc: it says again what the signed index has said already
                    self._apt(
                        "apt-get", "source", "-qq", "--download-only", "--tar-only", wanted, cwd=directory
                    )
            found = directory / package.file
            if not found.is_file() or sha256_of(found) != package.sha256:
                raise KernelUnavailable(
                    f"the source of {package.name} {package.version} is not what the archive's index says"
                )

        return self._cache.entry("sources", package.sha256, make) / package.file

    def _found(self, name: str, text: str) -> Iterator[SourcePackage]:
        for record in Sources.iter_paragraphs(text, use_apt_pkg=False):
            if record["Package"] != name:
                continue
            for file in record["Checksums-Sha256"]:
                if _ORIG in file["name"] and not file["name"].endswith(".asc"):
                    yield SourcePackage(
                        name=name,
                        version=record["Version"],
                        suite=self.source.suite,
                        file=file["name"],
                        sha256=file["sha256"],
                        size=int(file["size"]),
                    )


def find(name: str, version: str, sources: Iterable[Source], cache: Cache) -> tuple[SourceApt, SourcePackage]:
    """A source package and the suite that has it. Raises `KernelUnavailable` if none does."""
    seen: list[str] = []
    for source in sources:
        apt = SourceApt(source, cache)
        for package in apt.versions(name):
            if package.version == version:
                return apt, package
            seen.append(package.version)
    raise KernelUnavailable(
        f"no suite has the source of {name} {version}", hint=f"there is {', '.join(seen) or 'none at all'}"
    )
