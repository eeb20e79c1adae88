"""The suite built for a userland: with its own compiler and libraries, in a root that is thrown away, never in a guest.

Under emulation a compiler is twenty times slower than on the host.
"""

from __future__ import annotations

import json
import logging
import lzma
import os
import re
import shutil
import tarfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.archive.mirrors import read_host_options, read_mirrors
from harness.archive.source_package import find
from harness.archive.sources import Source, sources
from harness.archive.tool import surviving_full_disk
from harness.cache import Cache, key_of, sha256_of
from harness.config import Settings, Userland
from harness.errors import ImageError
from harness.images.root import mmdebstrap, mmdebstrap_argv
from harness.suites.zdtm.desc import Desc, parse

_LOG = logging.getLogger(__name__)
SCHEMA = 1
"""Raised when suites built by older code must be built again."""
_SCRIPT = Path(__file__).parent / "guest" / "build.sh"
_STATIC = "test/zdtm/static/"
_SIZE = 900 << 20
"""Bytes that the root, the source and the tests take at most while they are built."""
PACKAGES = (
    # the compiler and the libraries that the tests link against
    *(
        "gcc",
        "libaio-dev",
        "libbpf-dev",
        "libc6-dev",
        "libcap-dev",
        "libnl-3-dev",
        "libnl-route-3-dev",
        "make",
    ),
    "pkgconf",
    # programs that the tests copy into their own roots; `ldd` says here what they need
    *("bash", "coreutils", "diffutils", "grep", "iproute2", "iptables", "nftables", "procps", "sed"),
)
_COMMAND = re.compile(r"^\./(?P<name>\S+) (?P<arguments>--.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Built:
    """One test as it was built."""

    name: str
    arguments: tuple[str, ...]
    """How the suite's own Makefile would start it."""
    desc: str
    """The text of its `.desc` file."""
    sha256: str
    """Of the program, its hook and its checkskip."""
    hook: str | None
    """The text of its hook."""
    checkskip: bool
    files: tuple[str, ...]
    """Libraries and programs that a root of its own must hold."""
    packages: tuple[str, ...]
    """Of the libraries that it is linked against."""
    missing: tuple[str, ...]
    """Programs of `deps` that the userland does not have."""

    @property
    def description(self) -> Desc:
        """Its `.desc`, read."""
        return parse(self.desc)


@dataclass(frozen=True)
class Build:
    """A userland's suite."""

    directory: Path
    version: str
    """Of the source package, which is that of the userland's CRIU."""
    tests: dict[str, Built]
    unbuilt: tuple[str, ...]
    """Tests that do not compile there."""
    seconds: float

    def program(self, name: str) -> Path:
        """A test's program, hook or checkskip."""
        return self.directory / "static" / name


def build(
    name: str,
    userland: Userland,
    version: str,
    settings: Settings,
    cache: Cache,
    only: Iterable[str] = (),
) -> Build:
    """The suite for the userland called `name`, whose CRIU's source package has `version`; built if the cache lacks it.

    `only` builds just these tests, which is quicker. Raises `KernelUnavailable` if the source cannot be had,
    `ImageError` if nothing can be built.
    """
    wanted = tuple(sorted(only))
    suites = (userland.suite, *userland.extra_suites)
    key = key_of(
        schema=SCHEMA,
        version=version,
        suites=suites,
        packages=PACKAGES,
        script=sha256_of(_SCRIPT),
        only=wanted,
        arch=settings.arch,
        mirrors=settings.mirrors,
    )

    def make(directory: Path) -> None:
        cache.require(_SIZE, f"building CRIU's tests for userland {name}")
        _LOG.info("building CRIU's tests %s for userland %s", version, name)
        started = time.monotonic()
        found = sources(
            suites,
            read_mirrors({**settings.mirrors}),
            components=userland.components,
            check_valid_until=userland.check_valid_until,
        )
        apt, package = find("criu", version, found, cache)
        with surviving_full_disk(directory):
            _build(name, apt.download_tar(package), found, directory, wanted, settings, cache)
            record = _gather(directory)
            record |= {"version": version, "seconds": round(time.monotonic() - started, 1)}
            (directory / "suite.json").write_text(json.dumps(record, indent=1) + "\n")

    return _read(cache.entry("suites", key, make))


def _read(directory: Path) -> Build:
    record = json.loads((directory / "suite.json").read_text())
    tests = {name: _built(found) for name, found in record["tests"].items()}
    return Build(directory, record["version"], tests, tuple(record["unbuilt"]), record["seconds"])


def _built(record: dict[str, Any]) -> Built:
    lists = {name: tuple(record[name]) for name in ("arguments", "files", "packages", "missing")}
    return Built(**{**record, **lists})


def _build(
    name: str,
    source: Path,
    found: Iterable[Source],
    directory: Path,
    wanted: tuple[str, ...],
    settings: Settings,
    cache: Cache,
) -> None:
    inside, result = directory / "source.tar", directory / "out.tar"
    deps = directory / "deps.wanted"
    with lzma.open(source) as packed, inside.open("wb") as plain:
        shutil.copyfileobj(packed, plain)
    deps.write_text("".join(f"{line}\n" for line in _deps_of(inside)))
    jobs = os.cpu_count() or 1
    hooks = (
        'mkdir "$1/build" "$1/build/source" "$1/build/out"',
        f"tar-in {inside} /build/source",
        f"upload {deps} /build/deps",
        f"upload {_SCRIPT} /build/build.sh",
        'mv "$1"/build/source/* "$1/build/criu"',
        f'chroot "$1" /bin/sh /build/build.sh {jobs} {" ".join(wanted)}',
        f"tar-out /build/out {result}",
    )
    argv = mmdebstrap_argv(
        PACKAGES,
        [source.line() for source in found],
        None,
        arch=settings.arch,
        unshare=os.geteuid() != 0,
        apt_options=read_host_options(),
        hooks=hooks,
    )
    mmdebstrap(name, argv, cache.root / "logs" / f"zdtm-{name}.log", directory)
    _unpack(result, directory)
    for path in (inside, result, deps):
        path.unlink(missing_ok=True)


def _unpack(tar: Path, directory: Path) -> None:
    """The plain files below the tar's own first directory, which `tar-out` names as it was told."""
    with tarfile.open(tar) as archive:
        for member in archive:
            data = archive.extractfile(member) if member.isfile() else None
            parts = Path(member.name.removeprefix("./")).parts
            if data is None or ".." in parts:
                continue
            target = directory.joinpath(*parts[parts.index("out") + 1 :])
            target.parent.mkdir(parents=True, exist_ok=True)
            with data, target.open("wb") as file:
                shutil.copyfileobj(data, file)
            target.chmod(0o755 if member.mode & 0o111 else 0o644)


def _deps_of(source: Path) -> list[str]:
    """Every program that any test asks for, in the suite's own words."""
    wanted: set[str] = set()
    with tarfile.open(source) as tar:
        for member in tar:
            if member.isfile() and _STATIC in member.name and member.name.endswith(".desc"):
                data = tar.extractfile(member)
                assert data is not None
                wanted.update(parse(data.read().decode()).deps)
    return sorted(wanted)


def _gather(directory: Path) -> dict[str, Any]:
    """What the build script left, as one record."""
    names = (directory / "names").read_text().split()
    commands = {m["name"]: m["arguments"].split() for m in _COMMAND.finditer(_text(directory / "commands"))}
    libraries = _lists(directory / "libraries")
    owners = {file: found[0] for file, found in _lists(directory / "owners").items() if found}
    deps = _lists(directory / "deps")
    tests: dict[str, Any] = {}
    for name in names:
        program = directory / "static" / name
        if not program.is_file() or name not in commands:
            continue
        desc = _text(directory / "static" / f"{name}.desc")
        wanted = parse(desc).deps
        files = {*libraries.get(name, ()), *(file for dep in wanted for file in deps.get(dep, ()))}
        hook = directory / "static" / f"{name}.hook"
        brought = [program, hook, directory / "static" / f"{name}.checkskip"]
        test = Built(
            name=name,
            arguments=tuple(commands[name]),
            desc=desc,
            sha256=key_of(files=[sha256_of(path) for path in brought if path.is_file()]),
            hook=_text(hook) if hook.is_file() else None,
            checkskip=brought[2].is_file(),
            files=tuple(sorted(files)),
            packages=tuple(sorted({owners[file] for file in libraries.get(name, ()) if file in owners})),
            missing=tuple(dep for dep in wanted if dep not in deps),
        )
        tests[name] = asdict(test)
    if not tests:
        raise ImageError("none of CRIU's tests can be built", hint=f"see {directory / 'make.log'}")
    return {"schema": SCHEMA, "tests": tests, "unbuilt": [name for name in names if name not in tests]}


def _lists(path: Path) -> dict[str, list[str]]:
    """Lines `key word word ...`."""
    return {words[0]: words[1:] for line in path.read_text().splitlines() if (words := line.split())}


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""
