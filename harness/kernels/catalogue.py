"""From an entry of kernels.yaml to kernels: what it means (`resolve`), and have it ready (`prepare`)."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from debian.deb822 import Deb822

from harness.archive.tool import run, surviving_full_disk
from harness.cache import Cache, key_of, sha256_of
from harness.config import DebKernel, FileKernel, KernelSpec, PackageKernel, Settings
from harness.errors import KernelUnavailable
from harness.kernels import debian
from harness.kernels.artifacts import assemble, build_key
from harness.kernels.kernel import CONFIG, IMAGE, Kernel, Provenance, read_record, write_record
from harness.kernels.modules import tree_hash, tree_size
from harness.kernels.parts import Parts, find_files, identity, unpack

_LOG = logging.getLogger(__name__)
_KIND = "kernels"
_GROWTH = 8
"""A package's bytes unpacked, twice (modules and their disk), uncompressed, and some room."""


@dataclass(frozen=True)
class Candidate:
    """A kernel that an entry of kernels.yaml means, known without fetching it.

    `size` is what is to be fetched, or what the given files take, in bytes. `cached` tells whether all of it
    is there, ready to boot.
    """

    label: str
    release: str
    version: str | None
    suite: str | None
    origin: str
    size: int
    sha256: str
    cached: bool
    recipe: Recipe


@dataclass(frozen=True)
class Recipe:
    """How to make a candidate's cache entry: its key, its record, and what yields its parts."""

    key: str
    sha256: str
    origin: str
    version: str | None
    suite: str | None
    packages: tuple[tuple[str, str], ...]
    fetch: Callable[[Path], Parts]
    """Called with a scratch directory, which is emptied afterwards."""
    room: int


def resolve(label: str, spec: KernelSpec, settings: Settings, cache: Cache) -> list[Candidate]:
    """The kernels that `spec` means; package lists may be fetched, packages are not.

    With `pick: all` there are several, labelled `<label>-<release>`, oldest first.
    Raises `KernelUnavailable` if there is none, `HostError` if the host lacks a program.
    """
    if isinstance(spec, PackageKernel):
        return _from_archive(label, spec, settings, cache)
    if isinstance(spec, DebKernel):
        return [_from_debs(label, spec, cache)]
    return [_from_files(label, spec, cache)]


def prepare(label: str, spec: KernelSpec, settings: Settings, cache: Cache) -> list[Kernel]:
    """The kernels that `spec` means, fetched, made bootable and checked.

    Raises `KernelUnavailable` (gone, unreachable, wrong checksum) or `HostError` (no space, missing program).
    """
    return [obtain(candidate, cache) for candidate in resolve(label, spec, settings, cache)]


def obtain(candidate: Candidate, cache: Cache) -> Kernel:
    """One candidate as a kernel; an entry of the cache that was damaged is made again."""
    recipe = candidate.recipe
    for last in (False, True):
        entry = cache.entry(_KIND, recipe.key, lambda directory: _make(recipe, directory, cache))
        try:
            return read_record(entry, candidate.label)
        except KernelUnavailable as error:
            if last:
                raise
            _LOG.warning("%s; making it again", error)
            cache.drop(_KIND, recipe.key)
    raise AssertionError("the loop returns or raises")


def _make(recipe: Recipe, directory: Path, cache: Cache) -> None:
    cache.require(recipe.room, f"kernel {recipe.version or recipe.origin}")
    scratch = directory / ".unpacked"
    scratch.mkdir()
    with surviving_full_disk(directory):
        parts = recipe.fetch(scratch)
        assemble(parts, directory)
        shutil.rmtree(scratch)
        provenance = Provenance(
            origin=recipe.origin,
            kernel=sha256_of(directory / IMAGE),
            config=sha256_of(directory / CONFIG) if parts.config else None,
            packages=recipe.packages,
            version=recipe.version,
            suite=recipe.suite,
        )
        write_record(directory, release=parts.release, sha256=recipe.sha256, provenance=provenance)


def _from_archive(label: str, spec: PackageKernel, settings: Settings, cache: Cache) -> list[Candidate]:
    several = spec.pick == "all"
    candidates = []
    for found in debian.find(spec, settings, cache):
        recipe = _package_recipe(found)
        name = f"{label}-{found.release}" if several else label
        candidates.append(_candidate(name, found.release, found.size, recipe, cache))
    return candidates


def _package_recipe(found: debian.Found) -> Recipe:
    def fetch(scratch: Path) -> Parts:
        return unpack([apt.download(package) for apt, package in found.parts], scratch)

    return _recipe(
        origin=found.package.origin,
        version=found.package.version,
        suite=found.package.suite,
        packages=tuple((package.name, package.sha256) for _, package in found.parts),
        content={package.name: package.sha256 for _, package in found.parts},
        fetch=fetch,
        size=found.size,
    )


def _from_debs(label: str, spec: DebKernel, cache: Cache) -> Candidate:
    records = [Deb822(run(["dpkg-deb", "-f", deb])) for deb in spec.deb]
    packages = tuple(
        (record["Package"], sha256_of(deb)) for record, deb in zip(records, spec.deb, strict=True)
    )
    size = sum(deb.stat().st_size for deb in spec.deb)
    recipe = _recipe(
        origin=str(spec.deb[0]),
        version=records[0]["Version"],
        suite=None,
        packages=packages,
        content=dict(packages),
        fetch=lambda scratch: unpack(spec.deb, scratch),
        size=size,
    )
    names = [name.removeprefix("linux-image-").removeprefix("linux-binary-") for name, _ in packages]
    return _candidate(label, min(names, key=len), size, recipe, cache)


def _from_files(label: str, spec: FileKernel, cache: Cache) -> Candidate:
    parts = find_files(spec.image, spec.modules, spec.config)
    content = {"image": sha256_of(parts.image)}
    if parts.config is not None:
        content["config"] = sha256_of(parts.config)
    if parts.modules is not None:
        content["modules"] = tree_hash(parts.modules)
    size = parts.image.stat().st_size + (tree_size(parts.modules) if parts.modules else 0)
    recipe = _recipe(
        origin=str(spec.image),
        version=None,
        suite=None,
        packages=(),
        content=content,
        fetch=lambda scratch: parts,
        size=size,
    )
    return _candidate(label, parts.release, size, recipe, cache)


def _recipe(
    *,
    origin: str,
    version: str | None,
    suite: str | None,
    packages: tuple[tuple[str, str], ...],
    content: dict[str, str],
    fetch: Callable[[Path], Parts],
    size: int,
) -> Recipe:
    sha256 = identity(content)
    key = key_of(sha256=sha256, origin=origin, suite=suite, artifacts=build_key())
    return Recipe(key, sha256, origin, version, suite, packages, fetch, size * _GROWTH)


def _candidate(label: str, release: str, size: int, recipe: Recipe, cache: Cache) -> Candidate:
    return Candidate(
        label=label,
        release=release,
        version=recipe.version,
        suite=recipe.suite,
        origin=recipe.origin,
        size=size,
        sha256=recipe.sha256,
        cached=cache.path(_KIND, recipe.key).is_dir(),
        recipe=recipe,
    )
