"""What this host can do, what is missing, and the exact command that mends it."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import metadata
from pathlib import Path

import psutil
from packaging.requirements import Requirement

from harness.archive import read_mirrors
from harness.cache import Cache
from harness.config import Settings
from harness.errors import Exit, HarnessError, HostError
from harness.host_packages import HostPackage, Need, install_command, read
from harness.session.capacity import capacity

FIRST_RUN = 5 << 30
"""Bytes that kernels, images and checkpoints of the quick profile take, with room to build them (measured: 2.2 GiB)."""
LEAST = 1 << 30
"""Bytes without which not even a run with everything fetched gets far."""
IDS = 65536
"""Subordinate ids that a user needs to build a Debian root."""
EMBED = "qemu:///embed"


class Status(StrEnum):
    """What a check found."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    what: str
    status: Status
    detail: str
    mend: str | None = None
    """The exact command that mends it."""
    package: str | None = None
    """The package that mends it; all of them are put into one command."""


@dataclass(frozen=True)
class Host:
    """What the checks look at; tests make one up."""

    path: str
    euid: int
    user: str
    root: Path = Path("/")
    available: int = 0
    """Bytes of free memory."""
    cores: int = 1
    cache: Cache = field(default_factory=Cache)

    @classmethod
    def here(cls) -> Host:
        """This one."""
        return cls(
            # An ordinary user's path on Debian lacks the administrator's programs, which the lab finds all the same.
            path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin",
            euid=os.geteuid(),
            user=getpass.getuser(),
            available=psutil.virtual_memory().available,
            cores=len(os.sched_getaffinity(0)),
        )

    @property
    def is_root(self) -> bool:
        """Whether root runs the lab."""
        return self.euid == 0

    def command(self, text: str) -> str:
        """A command that root must run, as this user would type it."""
        return text if self.is_root else f"sudo {text}"


@dataclass(frozen=True)
class Diagnosis:
    """All checks, in the order in which they are shown."""

    checks: tuple[Check, ...]
    as_root: bool

    @property
    def exit_code(self) -> Exit:
        """6 if anything is missing; warnings do not count."""
        return Exit.LAB if any(check.status is Status.MISSING for check in self.checks) else Exit.OK

    @property
    def commands(self) -> list[str]:
        """What to type, packages first and all in one line."""
        packages = list(dict.fromkeys(check.package for check in self.checks if check.package))
        install = [install_command(packages, as_root=self.as_root)] if packages else []
        return install + list(dict.fromkeys(check.mend for check in self.checks if check.mend))

    def text(self) -> str:
        """For the terminal."""
        width = max(len(check.what) for check in self.checks)
        lines = [f"{check.status:<8} {check.what:<{width}}  {check.detail}" for check in self.checks]
        if self.commands:
            lines += ["", "To mend it:", *(f"  {command}" for command in self.commands)]
        lines += ["", "The lab can run." if self.exit_code is Exit.OK else "The lab cannot run."]
        return "\n".join(lines)


def diagnose(settings: Settings, host: Host) -> Diagnosis:
    """Look at everything. Takes a few seconds the first time, when libvirt probes QEMU."""
    checks = [
        *packages(read(), host),
        *python_packages("kmatrix"),
        *embedded_user(settings, host, _has_user),
        libvirt(settings, host, _versions),
        *user_namespaces(host, _can_unshare),
        *subordinate_ids(host),
        *machine(settings, host),
        disk(host, shutil.disk_usage(_existing(host.cache.root)).free),
        kvm(host),
        mirror(settings),
    ]
    return Diagnosis(tuple(checks), host.is_root)


def packages(table: Sequence[HostPackage], host: Host) -> Iterator[Check]:
    """Programs and files of the host's packages; what is there is told in one line."""
    here = [package for package in table if package.is_here(host.path, host.root)]
    programs = sorted(p.proof for p in here if p.proof is not None and not p.proof.startswith("/"))
    yield Check("programs", Status.OK, ", ".join(programs) or "none")
    for package in table:
        if package not in here:
            # What only set-up or tests need does not keep the lab from running.
            status = Status.MISSING if package.need is Need.RUN else Status.WARNING
            yield Check(package.name, status, f"not there: {package.purpose}", package=package.name)


def python_packages(distribution: str) -> Iterator[Check]:
    """Whether this environment has what kmatrix asks for."""
    try:
        wanted = [Requirement(text) for text in metadata.requires(distribution) or ()]
    except metadata.PackageNotFoundError:
        yield Check("python", Status.MISSING, f"{distribution} is not installed", "make setup")
        return
    needed = [want for want in wanted if want.marker is None or want.marker.evaluate({"extra": ""})]
    wrong = [problem for want in needed if (problem := _problem(want))]
    if wrong:
        yield Check("python", Status.MISSING, "; ".join(wrong), "make setup")
    else:
        yield Check("python", Status.OK, f"{len(needed)} packages in the versions asked for")


def _problem(want: Requirement) -> str | None:
    try:
        found = metadata.version(want.name)
    except metadata.PackageNotFoundError:
        return f"{want.name} is not installed"
    return (
        None
        if want.specifier.contains(found, prereleases=True)
        else f"{want.name} {found} is not {want.specifier}"
    )


def embedded_user(settings: Settings, host: Host, exists: Callable[[str], bool]) -> Iterator[Check]:
    """As root, libvirt's QEMU driver wants to know the user that it would run guests as, even if it does not."""
    if host.is_root and settings.libvirt_uri == EMBED and not exists("libvirt-qemu"):
        yield Check(
            "libvirt-qemu",
            Status.MISSING,
            "no such user, and libvirt's QEMU driver does not start without it",
            package="libvirt-daemon-system",
        )


def libvirt(settings: Settings, host: Host, versions: Callable[[str, Cache], dict[str, str]]) -> Check:
    """Really connects. `versions(uri, cache)` gives versions by name or raises `HarnessError`, ImportError."""
    try:
        found = versions(settings.libvirt_uri, host.cache)
    except ImportError as error:
        return Check("libvirt", Status.MISSING, f"its Python binding cannot be loaded: {error}", "make setup")
    except HarnessError as error:
        return Check("libvirt", Status.MISSING, str(error))
    words = ", ".join(f"{name} {version}" for name, version in found.items())
    return Check("libvirt", Status.OK, f"{settings.libvirt_uri} opens: {words}")


def user_namespaces(host: Host, works: Callable[[], bool]) -> Iterator[Check]:
    """An ordinary user builds images in a user namespace."""
    if host.is_root:
        return
    if works():
        yield Check("user namespaces", Status.OK, "an ordinary user may make them")
        return
    for name, bad, good in (
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
        ("user.max_user_namespaces", "0", "10000"),
    ):
        if _read(host.root / "proc/sys" / name.replace(".", "/")) == bad:
            yield Check(
                "user namespaces",
                Status.MISSING,
                f"{name} is {bad}: images cannot be built without root",
                host.command(f"sysctl -w {name}={good}"),
            )
            return
    yield Check(
        "user namespaces", Status.MISSING, "cannot be made here (a container?): build images as root instead"
    )


def subordinate_ids(host: Host) -> Iterator[Check]:
    """An ordinary user needs ranges of user and group ids to build images."""
    if host.is_root:
        return
    for file, option in (("subuid", "--add-subuids"), ("subgid", "--add-subgids")):
        ranges = _ranges(_read(host.root / "etc" / file))
        mine = max((count for name, _, count in ranges if name in (host.user, str(host.euid))), default=0)
        if mine >= IDS:
            yield Check(f"/etc/{file}", Status.OK, f"{mine} ids for {host.user}")
            continue
        start = max([100_000, *(first + count for _, first, count in ranges)])
        yield Check(
            f"/etc/{file}",
            Status.MISSING,
            f"{host.user} has {mine} of the {IDS} ids that building an image takes",
            host.command(f"usermod {option} {start}-{start + IDS - 1} {host.user}"),
        )


def _ranges(text: str) -> list[tuple[str, int, int]]:
    fields = [line.split(":") for line in text.splitlines()]
    return [(f[0], int(f[1]), int(f[2])) for f in fields if len(f) == 3 and f[1].isdigit() and f[2].isdigit()]


def machine(settings: Settings, host: Host) -> Iterator[Check]:
    """How many guests run at once."""
    free = f"{host.available >> 20} MiB free, {host.cores} cores"
    try:
        space = capacity(settings.memory, settings.jobs, available=host.available, cores=host.cores)
    except HostError as error:
        yield Check("memory", Status.MISSING, str(error))
        return
    yield Check(
        "memory", Status.OK, f"{free}: {space.slots} at once, {space.slots * space.room} guests booted"
    )


def disk(host: Host, free: int) -> Check:
    """Room for what is fetched and built; `free` is in bytes."""
    detail = f"{free / (1 << 30):.1f} GiB free at {host.cache.root}"
    if free >= FIRST_RUN:
        return Check("disk", Status.OK, detail)
    status = Status.WARNING if free >= LEAST else Status.MISSING
    wanted = f"a first quick run wants {FIRST_RUN >> 30} GiB; KMATRIX_CACHE may name a directory elsewhere"
    return Check("disk", status, f"{detail}, {wanted}")


def kvm(host: Host) -> Check:
    """Never missing: without KVM guests are emulated."""
    device = host.root / "dev/kvm"
    if not device.exists():
        return Check("/dev/kvm", Status.OK, "not there: guests are emulated (TCG), which works")
    try:
        os.close(os.open(device, os.O_RDWR))
    except OSError as error:
        return Check(
            "/dev/kvm",
            Status.WARNING,
            f"{error.strerror}: guests are emulated (TCG), which works, only slower",
            None if host.is_root else host.command(f"adduser {host.user} kvm"),
        )
    detail = "opens, which proves nothing: a run boots a guest under a deadline and falls back to TCG"
    return Check("/dev/kvm", Status.OK, detail)


def mirror(settings: Settings) -> Check:
    """Where kernels and userlands would come from."""
    try:
        found = read_mirrors(settings.mirrors)
    except HarnessError as error:
        return Check("mirror", Status.MISSING, f"{error}; {error.hint}" if error.hint else str(error))
    return Check("mirror", Status.OK, f"{found.debian}, {found.security}")


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _existing(path: Path) -> Path:
    return next(parent for parent in (path, *path.absolute().parents) if parent.exists())


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _can_unshare() -> bool:
    try:
        done = subprocess.run(["unshare", "--user", "true"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _versions(uri: str, cache: Cache) -> dict[str, str]:
    # Here and not above: without libvirt's library this import fails, and that is a finding.
    from harness.guests.hypervisor import open_hypervisor

    with open_hypervisor(uri, cache) as hypervisor:
        return hypervisor.versions
