"""Kernels from Debian's archive: which packages an entry of kernels.yaml means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.archive import Apt, Package, read_mirrors, sources
from harness.cache import Cache
from harness.config import PackageKernel, Settings
from harness.errors import KernelUnavailable

_PREFIX = "linux-image-"
_NEEDED = re.compile(r"^linux-(image|binary|modules|base)-\d")
_FLAVOUR = re.compile(r"\d-(?P<flavour>[a-z][a-z0-9-]*)$")
_MENTIONED = 12


@dataclass(frozen=True)
class Found:
    """One kernel in the archive: the package that was asked for and all that make it up, with their apt."""

    package: Package
    parts: tuple[tuple[Apt, Package], ...]

    @property
    def release(self) -> str:
        """The release that the package's name promises; a metapackage's is that of what it depends on."""
        names = [part.name for _, part in self.parts if part.name.startswith(_PREFIX)]
        return names[-1].removeprefix(_PREFIX).removesuffix("-unsigned")

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(part.size for _, part in self.parts)


def find(spec: PackageKernel, settings: Settings, cache: Cache) -> list[Found]:
    """The kernels that `spec` means, oldest first: one, or with `pick: all` every one.

    Raises `KernelUnavailable`, saying what the suites do have, if there is no such package.
    """
    apts = open_suites(spec, settings, cache)
    matching = [(apt, package) for apt in apts for package in apt.packages(spec.package)]
    if spec.pick is not None:
        matching = [(apt, package) for apt, package in matching if is_kernel(package, spec.package)]
    if not matching:
        raise KernelUnavailable(missing(spec, _kernels_in(apts)))
    matching.sort(key=lambda pair: pair[1].order)
    if spec.pick == "all":
        chosen = list({package.name: (apt, package) for apt, package in matching}.values())
    else:
        version = matching[0 if spec.pick == "oldest" else -1][1].version
        alike = [pair for pair in matching if pair[1].version == version]
        # of one version's flavours the plain one: linux-image-*-amd64 matches the -rt-amd64 kernels too
        chosen = [min(alike, key=lambda pair: len(pair[1].name))]
    return [Found(package, tuple(_closure(apt, package, apts))) for apt, package in chosen]


def open_suites(spec: PackageKernel, settings: Settings, cache: Cache) -> list[Apt]:
    """An apt for each suite that `spec` looks in."""
    entries = sources(
        spec.suite,
        read_mirrors({str(name): str(uri) for name, uri in settings.mirrors.items()}),
        check_valid_until=spec.check_valid_until,
        snapshot=spec.snapshot,
        snapshot_mirror=str(settings.snapshot_mirror) if settings.snapshot_mirror else None,
    )
    return [Apt(entry, cache, arch=settings.arch) for entry in entries]


def is_kernel(package: Package, glob: str) -> bool:
    """Whether a glob's match is a kernel to boot: no metapackage, no symbols, and signed unless asked."""
    if package.name.endswith("-dbg") or any(name.startswith(_PREFIX) for name in package.depends):
        return False
    return "unsigned" in glob or not package.name.endswith("-unsigned")


def missing(spec: PackageKernel, kernels: Sequence[Package]) -> str:
    """The message for a package that is not there, with those that are: the same flavour first."""
    flavour = _FLAVOUR.search(spec.package)
    alike = [package for package in kernels if flavour and package.name.endswith(f"-{flavour['flavour']}")]
    shown = list(dict.fromkeys(f"{package.name} {package.version}" for package in (alike or kernels)))
    where = " or ".join(spec.suite) + (f" of {spec.snapshot}" if spec.snapshot else "")
    what = "matches nothing" if spec.pick else "is not"
    if not shown:
        return f"{spec.package} {what} in {where}; it has no kernel at all"
    more = f", and {len(shown) - _MENTIONED} older" if len(shown) > _MENTIONED else ""
    return f"{spec.package} {what} in {where}; it has: {', '.join(shown[-_MENTIONED:])}{more}"


def _kernels_in(apts: Sequence[Apt]) -> list[Package]:
    packages = [package for apt in apts for package in apt.packages(f"{_PREFIX}[0-9]*")]
    return sorted((one for one in packages if is_kernel(one, "")), key=lambda package: package.order)


def _is_split(package: Package) -> bool:
    return any(_NEEDED.match(name) and not name.startswith("linux-base-") for name in package.depends)


def _closure(apt: Apt, package: Package, apts: Sequence[Apt]) -> Iterator[tuple[Apt, Package]]:
    """The package and the packages of kernel files that it depends on, however deep."""
    waiting, seen = [(apt, package)], {package.name}
    while waiting:
        apt, package = waiting.pop(0)
        yield apt, package
        for name in package.depends:
            if _NEEDED.match(name) and name not in seen:
                seen.add(name)
                dependency = _dependency(name, package, [apt, *apts])
                waiting.extend([dependency] if dependency else [])


def _dependency(name: str, package: Package, apts: Sequence[Apt]) -> tuple[Apt, Package] | None:
    found = [(apt, candidate) for apt in apts for candidate in apt.named([name])]
    same = [pair for pair in found if pair[1].version == package.version]
    if not found and not _is_split(package):
        # Debian's 6.18 has all files in linux-image-* and yet names a linux-base-<release> that was never there
        return None
    if not found:
        raise KernelUnavailable(
            f"{package.name} {package.version} needs {name}, which is not in {package.suite}",
            hint="the mirror may be in the middle of an update: try again later",
        )
    return same[0] if same else max(found, key=lambda pair: pair[1].order)
