"""The nouns of `kernels.yaml`. Every field is described in `docs/kernels-yaml.md`."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ByteSize, ConfigDict, Discriminator, Field, Tag

from harness.config import fields
from harness.config.selection import may_match_below, select, split_patterns
from harness.errors import ConfigError

Accelerator = Literal["auto", "kvm", "tcg"]
Pick = Literal["newest", "oldest", "all"]


class Model(BaseModel):
    """Frozen; a key that is no field is a mistake."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True
    )


class Timeouts(Model):
    """How long one step may take before the lab calls it hung, in seconds."""

    boot: fields.Seconds = 90
    """From power on until the guest says that it is ready."""
    command: fields.Seconds = 30
    """One command of the lab in a guest."""
    start: fields.Seconds = 30
    """Until a workload is ready to be dumped."""
    dump: fields.Seconds = 60
    """`criu dump`."""
    restore: fields.Seconds = 60
    """`criu restore`."""
    check: fields.Seconds = 60
    """A scenario's checks."""


class Settings(Model):
    """What holds for every cell of a run."""

    libvirt_uri: fields.LibvirtUri = "qemu:///embed"
    """The libvirt that runs the guests."""
    accelerator: Accelerator = "auto"
    """`auto` boots a guest to see whether KVM really works and falls back to TCG."""
    cpu: fields.CpuModel = "Haswell-noTSX"
    """The guest's CPU model, the same on both sides of every migration."""
    memory: fields.Memory = ByteSize(512 << 20)
    """A guest's memory, in bytes."""
    vcpus: fields.Count = 1
    """A guest's processors."""
    kernel_args: tuple[fields.Word, ...] = ()
    """Words added to every guest's kernel command line."""
    snapshot_mirror: fields.Url | None = None
    """The archive of dated snapshots, for kernels with `snapshot`."""
    mirrors: Annotated[dict[fields.Archive, fields.Url], fields.MayBeEmpty] = Field(default_factory=dict)
    """Mirrors to use instead of those in the host's own apt configuration."""
    jobs: fields.Count | None = None
    """Guests that run at once; `null` is as many as cores and memory allow."""
    timeouts: Annotated[Timeouts, fields.MayBeEmpty] = Field(default_factory=Timeouts)
    """Deadlines of the steps of a cell."""
    arch: Literal["amd64"] = "amd64"
    """Debian's name of the guests' architecture."""


class Criu(Model):
    """A CRIU that a userland brings instead of its distribution's."""

    path: fields.ExistingDirectory
    """An installed prefix or a built source tree."""


class Userland(Model):
    """The guest's distribution and its CRIU: the same bytes on both sides of a migration."""

    suite: fields.Suite
    """The Debian suite it is made from."""
    packages: tuple[fields.Package, ...] = Field(min_length=1)
    """Debian packages to install on top of the smallest system."""
    extra_suites: Annotated[tuple[fields.Suite, ...], fields.OneOrMany] = ()
    """More suites to install from, e.g. the security suite."""
    components: tuple[fields.Component, ...] = Field(default=("main",), min_length=1)
    """Parts of the archive."""
    check_valid_until: fields.Flag = True
    """Whether an expired `Release` file is refused; its signature is checked in any case."""
    criu: Criu | None = None
    """A CRIU to use instead of the distribution's."""


class PackageKernel(Model):
    """A kernel from Debian's archive, or from a dated snapshot of it."""

    package: fields.PackageOrGlob
    """A package name, or a glob that the whole name must match."""
    pick: Annotated[Pick | None, fields.PickFor] = None
    """Which of a glob's matches to take; needed with a glob and only there."""
    suite: Annotated[tuple[fields.Suite, ...], fields.OneOrMany] = Field(min_length=1)
    """The suites to look in, all of them together."""
    snapshot: fields.Timestamp | None = None
    """Take the archive as it was at this moment (UTC), from `settings.snapshot_mirror`."""
    check_valid_until: fields.Flag = True
    """Whether an expired `Release` file is refused; its signature is checked in any case."""


class FileKernel(Model):
    """A kernel that somebody built: files on this host."""

    image: fields.ExistingFile
    """The bzImage."""
    modules: fields.ExistingDirectory | None = None
    """The directory that holds `<release>/`, as after `make modules_install`; none if all is built in."""
    config: fields.ExistingFile | None = None
    """The kernel's `.config`."""


class DebKernel(Model):
    """A kernel from local Debian packages."""

    deb: Annotated[tuple[fields.ExistingFile, ...], fields.OneOrMany] = Field(min_length=1)
    """The package files; more than one where image and modules are split."""


SOURCES: dict[str, type[Model]] = {"package": PackageKernel, "image": FileKernel, "deb": DebKernel}
"""The key that says where a kernel comes from, and what the entry then is. Exactly one is given."""


def kind_of(value: object) -> str:
    """The model of a kernel's entry, by its source or, if it has none, by its other keys."""
    if isinstance(value, Model):
        return type(value).__name__
    keys = set(value) if isinstance(value, dict) else set()
    for source, model in SOURCES.items():
        if source in keys:
            return model.__name__
    likely = max(SOURCES.values(), key=lambda model: len(keys & set(model.model_fields)))
    return likely.__name__


KernelSpec = Annotated[
    Annotated[PackageKernel, Tag("PackageKernel")]
    | Annotated[FileKernel, Tag("FileKernel")]
    | Annotated[DebKernel, Tag("DebKernel")],
    Discriminator(kind_of),
]


class Profile(Model):
    """A named choice of what to run."""

    userlands: Annotated[tuple[fields.Pattern, ...], fields.OneOrMany] = Field(min_length=1)
    """Names or globs of userlands."""
    kernels: Annotated[tuple[fields.Pattern, ...], fields.OneOrMany] = Field(min_length=1)
    """Labels or globs of kernels."""
    scenarios: Annotated[tuple[fields.Pattern, ...], fields.OneOrMany] = Field(min_length=1)
    """Names or globs of scenarios."""
    modes: Annotated[tuple[Literal["cold"], ...], fields.OneOrMany] = Field(default=("cold",), min_length=1)
    """How checkpoints travel."""


class Sections(Model):
    """The file's top level."""

    settings: Annotated[Settings, fields.MayBeEmpty] = Field(default_factory=Settings)
    """What holds for every cell."""
    userlands: dict[fields.Label, Userland] = Field(min_length=1)
    """Root file systems, by name."""
    kernels: dict[fields.Label, KernelSpec] = Field(min_length=1)
    """Kernels, by label."""
    profiles: Annotated[dict[fields.Label, Profile], fields.MayBeEmpty] = Field(default_factory=dict)
    """Named choices of what to run."""


class Config(Sections):
    """A whole `kernels.yaml`, valid."""

    path: Path
    """The file it was read from."""

    def with_criu(self, path: Path) -> Config:
        """A copy in which every userland uses the CRIU at `path`, relative to the working directory.

        Raises `ConfigError` if that is not a directory.
        """
        full = path.expanduser().absolute()
        if not full.is_dir():
            raise ConfigError(
                f"--criu {path}: there is no such directory; expected an installed CRIU or a built tree"
            )
        own = Criu(path=full)
        userlands = {
            name: userland.model_copy(update={"criu": own}) for name, userland in self.userlands.items()
        }
        return self.model_copy(update={"userlands": userlands})

    def kernel_entries(self, patterns: str | Iterable[str]) -> dict[str, KernelSpec]:
        """The entries that must be resolved to know which kernels the label globs mean, in the file's order.

        An entry with `pick: all` is in if its label matches or one of its later `<label>-<release>` may.
        Raises `ConfigError` naming the labels if a glob can match nothing.
        """
        globs = split_patterns(patterns)
        wanted = {
            label for label, spec in self.kernels.items() for glob in globs if may_mean(label, spec, glob)
        }
        lost = [glob for glob in globs if not any(may_mean(*item, glob) for item in self.kernels.items())]
        if lost or not globs:
            select(self.kernels, lost, "kernel")
        return {label: spec for label, spec in self.kernels.items() if label in wanted}

    def select_kernels(self, labels: Iterable[str], patterns: str | Iterable[str]) -> list[str]:
        """The final `labels` that the globs mean, in the order of `labels`.

        Unlike `select`, the label of an entry with `pick: all` stands for all its `<label>-<release>`.
        Raises `ConfigError` if a glob matches nothing.
        """
        globs = split_patterns(patterns)
        known = list(dict.fromkeys(labels))
        families = [label for label, spec in self.kernels.items() if is_family(spec)]
        chosen: set[str] = set()
        for glob in globs:
            meant = [f"{label}-*" for label in families if fnmatchcase(label, glob)]
            hits = {name for name in known for one in (glob, *meant) if fnmatchcase(name, one)}
            chosen |= hits or set(select(known, glob, "kernel"))
        return select(known, (), "kernel") if not globs else [name for name in known if name in chosen]


def is_family(spec: KernelSpec) -> bool:
    """Whether the entry stands for several kernels, named `<label>-<release>`."""
    return isinstance(spec, PackageKernel) and spec.pick == "all"


def may_mean(label: str, spec: KernelSpec, glob: str) -> bool:
    """Whether `glob` matches the entry's label or may match one of its kernels."""
    return fnmatchcase(label, glob) or (is_family(spec) and may_match_below(label, glob))
