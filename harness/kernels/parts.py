"""What a source yields before it can boot: an image, a configuration, modules."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.archive.tool import run
from harness.errors import KernelUnavailable
from harness.kernels.bzimage import release_of


@dataclass(frozen=True)
class Parts:
    """The files of one kernel. `modules` is the directory of its release, with `kernel/` inside."""

    release: str
    image: Path
    config: Path | None
    modules: Path | None


def identity(content: Mapping[str, str]) -> str:
    """One SHA-256 for a kernel, over the SHA-256 of everything it is made of; the order does not matter."""
    lines = sorted(f"{sha256}  {name}\n" for name, sha256 in content.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def unpack(debs: Iterable[Path], directory: Path) -> Parts:
    """Unpack the packages of one kernel over each other in `directory` and find its parts.

    Up to 6.18 all is in linux-image-*, with /boot/vmlinuz-* and /boot/config-*; since 6.19 it is in
    linux-binary-*, linux-modules-* and linux-base-*, with everything in /usr/lib/modules/<release>.
    Raises `KernelUnavailable` if there is no kernel in the packages, or more than one.
    """
    names = []
    for deb in debs:
        run(["dpkg-deb", "-x", deb, directory], cwd=directory)
        names.append(deb.name)
    trees = [*directory.glob("lib/modules/*"), *directory.glob("usr/lib/modules/*")]
    images = [*directory.glob("boot/vmlinuz-*"), *(path for tree in trees for path in tree.glob("vmlinuz"))]
    if len(images) != 1:
        count = "no kernel" if not images else f"{len(images)} kernels"
        raise KernelUnavailable(
            f"there is {count} in {', '.join(names)}",
            hint="since 6.19 a kernel is linux-binary-*, linux-modules-* and linux-base-*: name all three",
        )
    release = release_of(images[0])
    configs = [directory / "boot" / f"config-{release}", *(tree / "config" for tree in trees)]
    modules = [tree for tree in trees if tree.name == release and (tree / "kernel").is_dir()]
    if not modules:
        raise KernelUnavailable(
            f"there are no modules for {release} in {', '.join(names)}",
            hint=f"add the package linux-modules-{release}",
        )
    config = next((path for path in configs if path.is_file()), None)
    return Parts(release, images[0], config, modules[0])


def find_files(image: Path, modules: Path | None, config: Path | None) -> Parts:
    """The parts of a kernel that somebody built.

    `modules` may be what `make modules_install` was given, its lib/modules, or the release's directory.
    Raises `KernelUnavailable` if the modules are another kernel's.
    """
    release = release_of(image)
    if modules is None:
        return Parts(release, image, config, None)
    places = [modules / release, modules / "lib" / "modules" / release]
    tree = next((place for place in places if place.is_dir()), None)
    if tree is None and modules.name == release:
        tree = modules
    if tree is None:
        raise KernelUnavailable(
            f"{modules} has no modules for {release}, which is what {image} is",
            hint=f"run make modules_install INSTALL_MOD_PATH={modules} in the kernel's build tree",
        )
    beside = tree / "config"
    return Parts(release, image, config or (beside if beside.is_file() else None), tree)
