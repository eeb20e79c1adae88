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

    A kernel whose parts are not all in the archive any more is passed over.
    Raises `KernelUnavailable`, saying what the suites do have, if nothing is left.
    """
    apts = open_suites(spec, settings, cache)
    matching = [(apt, package) for apt in apts for package in apt.packages(spec.package)]
    if spec.pick is not None:
        matching = [(apt, package) for apt, package in matching if is_kernel(package, spec.package)]
    if not matching:
        raise KernelUnavailable(missing(spec, apts))
    whole = sorted(
        (pair for pair in matching if not lost_parts(pair[1], apts)), key=lambda pair: pair[1].order
    )
    if not whole:
        raise KernelUnavailable(incomplete(spec, matching[-1][1], apts))
    if spec.pick == "all":
        chosen = list({package.name: (apt, package) for apt, package in whole}.values())
    else:
        version = whole[0 if spec.pick == "oldest" else -1][1].version
        alike = [pair for pair in whole if pair[1].version == version]
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


def lost_parts(package: Package, apts: Sequence[Apt]) -> list[str]:
    """The packages that a kernel is made of and that the suites no longer have.

    Signed packages (linux-image, linux-binary) stay in the archive when a newer version comes, but the
    linux-modules and linux-base that they need, which are built from another source package, are removed.
    """
    names = [name for name in package.depends if _NEEDED.match(name)]
    lost = [name for name in names if not any(name in apt.names() for apt in apts)]
    # 6.18 has all its files in linux-image-*, and names a linux-base-* that it can do without
    split = any(not name.startswith("linux-base-") for name in names)
    return lost if split else []


def missing(spec: PackageKernel, apts: Sequence[Apt]) -> str:
    """The message for a package that is not there, with those that are."""
    what = "matches nothing" if spec.pick else "is not"
    return f"{spec.package} {what} in {_where(spec)}; it has{_has(spec, apts)}"


def incomplete(spec: PackageKernel, package: Package, apts: Sequence[Apt]) -> str:
    """The message for a package that is there while what it needs is not."""
    lost = ", ".join(lost_parts(package, apts))
    return f"{package.name} in {_where(spec)} is incomplete, {lost} is gone; whole are{_has(spec, apts)}"


def _where(spec: PackageKernel) -> str:
    return " or ".join(spec.suite) + (f" of {spec.snapshot}" if spec.snapshot else "")


def _has(spec: PackageKernel, apts: Sequence[Apt]) -> str:
    """The newest kernels that there are, of the wanted flavour if there are any of that."""
    packages = [package for apt in apts for package in apt.packages(f"{_PREFIX}[0-9]*")]
    whole = [package for package in packages if is_kernel(package, "") and not lost_parts(package, apts)]
    whole.sort(key=lambda package: package.order)
    flavour = _FLAVOUR.search(spec.package)
    alike = [package for package in whole if flavour and package.name.endswith(f"-{flavour['flavour']}")]
    shown = list(dict.fromkeys(f"{package.name} {package.version}" for package in alike or whole))
    if not shown:
        return " no kernel at all"
    more = f", and {len(shown) - _MENTIONED} older" if len(shown) > _MENTIONED else ""
    return f": {', '.join(shown[-_MENTIONED:])}{more}"


def _closure(apt: Apt, package: Package, apts: Sequence[Apt]) -> Iterator[tuple[Apt, Package]]:
    """The package and the packages of kernel files that it depends on, however deep."""
    waiting, seen = [(apt, package)], {package.name}
    while waiting:
        apt, package = waiting.pop(0)
        yield apt, package
        for name in package.depends:
            if _NEEDED.match(name) and name not in seen:
                seen.add(name)
                waiting.extend(_dependency(name, package, apts))


def _dependency(name: str, package: Package, apts: Sequence[Apt]) -> list[tuple[Apt, Package]]:
    """The version that goes with the package, or the newest; empty for a part that can be done without."""
    found = [(apt, candidate) for apt in apts for candidate in apt.named([name])]
    same = [pair for pair in found if pair[1].version == package.version]
    return (same or sorted(found, key=lambda pair: pair[1].order, reverse=True))[:1]
