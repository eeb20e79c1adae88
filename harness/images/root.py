"""A userland's files, as mmdebstrap makes them: one tar, the same bytes from the same archive, cached."""

from __future__ import annotations

import json
import logging
import os
import tarfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from debian.deb822 import Deb822

from harness.archive.apt import Apt
from harness.archive.mirrors import read_host_options, read_mirrors
from harness.archive.sources import source_lines, sources
from harness.archive.tool import ToolFailed, no_space, run, surviving_full_disk
from harness.cache import Cache, key_of, sha256_of
from harness.config import Settings, Userland
from harness.errors import ImageError
from harness.images import sysroot

_LOG = logging.getLogger(__name__)
SCHEMA = 1
"""Raised when roots made by older code must be made again."""

EPOCH = 1_700_000_000
"""Seconds since 1970 that no file in a root is younger than, so that two builds give the same bytes."""

LAB_PACKAGES = (
    "criu",
    "iproute2",
    "iptables",
    "kmod",
    "libc6-dev",
    "mount",
    "procps",
)
"""What the lab itself needs in every guest; CRIU and its libraries even where a userland brings its own."""

_UNWANTED = (
    "/usr/share/doc/*",
    "/usr/share/doc-base/*",
    "/usr/share/info/*",
    "/usr/share/lintian/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
    "/usr/share/bash-completion/*",
)
_SIZE = 1500 << 20
"""Bytes that making a root takes at most: mmdebstrap's chroot, the packages, the tar, the sysroot."""
_EXTRA_SIZE = 100 << 20
"""Bytes for each package that a scenario wants on top, its dependencies included: a database, a Java."""
_FAREWELLS = (
    "mmdebstrap failed to run",
    "Use-Pty=false",
    "Some index files failed",
    "process exited",
    "Sub-process",
    "received signal",
)
_ERRORS = ("E:", "Err:", "W: Failed to fetch", "dpkg: error")
_UNREACHABLE = (
    "Could not resolve",
    "Could not connect",
    "Temporary failure",
    "Unable to connect",
    "Connection",
)
_MAPPING = ("newuidmap", "newgidmap", "/etc/subuid", "/etc/subgid", "user namespace", "unshare")


@dataclass(frozen=True)
class Root:
    """A userland's files, before the guest's own are added."""

    directory: Path
    tar: Path
    sysroot: Path
    sha256: str
    packages: dict[str, str]


def packages_of(userland: Userland) -> tuple[str, ...]:
    """The packages asked for by name; their dependencies come along."""
    return tuple(sorted({*LAB_PACKAGES, *userland.packages}))


def available(userland: Userland, settings: Settings, cache: Cache) -> frozenset[str]:
    """The names of all packages in a userland's suites. Raises `KernelUnavailable` if an archive is out of reach."""
    found = sources(
        [userland.suite, *userland.extra_suites],
        read_mirrors({**settings.mirrors}),
        components=userland.components,
        check_valid_until=userland.check_valid_until,
    )
    return frozenset().union(*(Apt(source, cache, arch=settings.arch).names() for source in found))


def mmdebstrap_argv(
    packages: Sequence[str],
    entries: Sequence[str],
    target: Path | None,
    *,
    arch: str = "amd64",
    unshare: bool,
    apt_options: dict[str, str] | None = None,
    hooks: Sequence[str] = (),
) -> list[str]:
    """The command that makes a root from sources.list `entries`; `unshare` is an ordinary user's way.

    `hooks` are run when the packages are installed; without a `target` nothing is kept of the root but what they take.
    """
    options = {"Acquire::Languages": "none", "Acquire::Retries": "3", **(apt_options or {})}
    return [
        "mmdebstrap",
        f"--mode={'unshare' if unshare else 'root'}",
        # essential packages and no apt: the host's apt installs the rest, half the size of minbase
        "--variant=essential",
        f"--format={'tar' if target else 'null'}",
        f"--architectures={arch}",
        f"--include={','.join(packages)}",
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in _UNWANTED),
        # update-alternatives of a Java fails where there is no directory for the pages that are left out
        '--essential-hook=mkdir -p "$1/usr/share/man/man1"',
        *(f'--aptopt={key} "{value}"' for key, value in options.items()),
        *(f"--customize-hook={hook}" for hook in hooks),
        "",
        str(target or "-"),
        *entries,
    ]


def prepare_root(
    name: str, userland: Userland, settings: Settings, cache: Cache, extra: Iterable[str] = ()
) -> Root:
    """The root of `userland`, made if the cache does not have it. The archive is asked only when it is made.

    `extra` are packages that scenarios want; what the userland's suites do not have is left out.
    Raises `ImageError` if mmdebstrap fails, `HostError` if the host lacks it or disk space.
    """
    packages = packages_of(userland)
    wanted = sorted(set(extra) - set(packages))
    key = key_of(
        # a root without extra packages keeps the key it always had
        **({"extra": wanted} if wanted else {}),
        schema=SCHEMA,
        packages=packages,
        suites=(userland.suite, *userland.extra_suites),
        components=userland.components,
        # the host's own mirror is no part of it: any mirror of a suite has the same packages
        mirrors=settings.mirrors,
        arch=settings.arch,
        unwanted=_UNWANTED,
        sysroot=sysroot.WANTED,
    )

    def make(directory: Path) -> None:
        _LOG.info("building the root of userland %s (%s)", name, userland.suite)
        cache.require(_SIZE + _EXTRA_SIZE * len(wanted), f"building userland {name}")
        known = available(userland, settings, cache) if wanted else frozenset()
        entries = source_lines(
            [userland.suite, *userland.extra_suites],
            read_mirrors({**settings.mirrors}),
            components=userland.components,
            check_valid_until=userland.check_valid_until,
        )
        log = cache.root / "logs" / f"mmdebstrap-{name}.log"
        started = time.monotonic()
        tar = directory / "root.tar"
        argv = mmdebstrap_argv(
            [*packages, *(package for package in wanted if package in known)],
            entries,
            tar,
            arch=settings.arch,
            unshare=os.geteuid() != 0,
            apt_options=read_host_options(),
        )
        mmdebstrap(name, argv, log, directory)
        with surviving_full_disk(directory):
            installed = installed_packages(tar)
            sysroot.extract(tar, directory / "sysroot")
            record = {
                "schema": SCHEMA,
                "suite": userland.suite,
                "argv": argv[: -len(entries) - 1],
                "entries": entries,
                "sha256": sha256_of(tar),
                "packages": installed,
                "seconds": round(time.monotonic() - started, 1),
            }
            (directory / "root.json").write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")

    directory = cache.entry("roots", key, make)
    record = json.loads((directory / "root.json").read_text())
    return Root(
        directory=directory,
        tar=directory / "root.tar",
        sysroot=directory / "sysroot",
        sha256=record["sha256"],
        packages=record["packages"],
    )


def installed_packages(tar: Path) -> dict[str, str]:
    """Package names and versions from the dpkg status in a root's tar."""
    with tarfile.open(tar) as archive:
        member = archive.extractfile("./var/lib/dpkg/status")
        if member is None:
            raise ImageError(f"{tar}: no dpkg status in it")
        text = member.read().decode()
    records = Deb822.iter_paragraphs(text, use_apt_pkg=False)
    return {r["Package"]: r["Version"] for r in records if r["Status"].endswith(" installed")}


def explain(name: str, output: Iterable[str], log: Path) -> ImageError:
    """Why mmdebstrap failed, in one line: the last error before its own farewell."""
    lines = [line.strip() for line in output if line.strip()]
    complaints = [line for line in lines if line.startswith(_ERRORS)]
    telling = [line for line in complaints if not any(sign in line for sign in _FAREWELLS)]
    reason = (telling or complaints or lines or ["no output"])[-1]
    text = "\n".join(lines)
    hint = f"the whole log: {log}"
    if any(sign in text for sign in _UNREACHABLE):
        hint = f"check the network, or name another mirror in kernels.yaml, settings: mirrors ({hint})"
    elif "Unable to locate package" in text:
        hint = f"userland {name} asks for a package that its suite does not have ({hint})"
    elif "expired" in text and "Release" in text:
        hint = f"if you trust this mirror, set check_valid_until: false for userland {name} ({hint})"
    elif any(sign in line for sign in _MAPPING for line in complaints):
        hint = (
            f"sudo apt-get install uidmap, and give the user a range in /etc/subuid and /etc/subgid ({hint})"
        )
    return ImageError(f"userland {name} cannot be built: {reason}", hint=hint)


def mmdebstrap(name: str, argv: Sequence[str], log: Path, directory: Path) -> None:
    """Run `argv` for the userland `name`. Raises `ImageError`, or `HostError` if the disk is full."""
    environment = {"SOURCE_DATE_EPOCH": str(EPOCH), "TMPDIR": str(_scratch(directory))}
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        run([*argv[:1], f"--logfile={log}", *argv[1:]], environment=environment)
    except ToolFailed as failure:
        output = [
            *(log.read_text(errors="replace").splitlines() if log.exists() else ()),
            *failure.output.splitlines(),
        ]
        if any("No space left on device" in line for line in output):
            raise no_space(directory) from failure
        raise explain(name, output, log) from failure


def _scratch(directory: Path) -> Path:
    """Where mmdebstrap unpacks. In its user namespace it is a stranger who cannot enter a private home."""
    return directory if os.geteuid() == 0 else Path("/var/tmp")
