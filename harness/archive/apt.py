"""A private apt: its own lists, sources and state for one suite, kept in the cache, shared by all runs."""

from __future__ import annotations

import fnmatch
import logging
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import tenacity
from debian.deb822 import Deb822, PkgRelation
from debian.debian_support import Version

from harness.archive.mirrors import read_host_options
from harness.archive.sources import Source
from harness.archive.tool import ToolFailed, run
from harness.cache import Cache, key_of, sha256_of
from harness.errors import KernelUnavailable

_LOG = logging.getLogger(__name__)
_LISTS_AGE = 24 * 3600.0
_LISTS_SIZE = 300 << 20
"""Bytes that one suite's lists and apt's binary cache of them take at most, with room to spare."""
_NETWORK = re.compile(
    r"Could not (resolve|connect|handshake)|Temporary failure|Unable to connect|Network is unreachable|"
    r"Connection (failed|timed out|refused)|Operation timed out|Cannot initiate the connection|"
    r"Error reading from server|Bad header|50[0234] "
)
_COMPLAINTS = (re.compile(r"^E: (.*)$", re.MULTILINE), re.compile(r"^W: (.*)$", re.MULTILINE))


class Unreachable(KernelUnavailable):
    """The archive did not answer, or broke off; trying again may help."""


@dataclass(frozen=True)
class Package:
    """One version of a binary package, as the archive's signed index describes it. Sizes are in bytes."""

    name: str
    version: str
    suite: str
    origin: str
    sha256: str
    size: int
    depends: tuple[str, ...]
    source: str

    @property
    def order(self) -> tuple[Version, str]:
        """Sorts packages from oldest to newest by Debian's rules for versions."""
        return Version(self.version), self.name

    @property
    def filename(self) -> str:
        """The name `apt-get download` gives the file: an epoch's colon is escaped."""
        return f"{self.name}_{self.version.replace(':', '%3a')}"


class Apt:
    """apt-get and apt-cache for one source. Making one is cheap and touches neither disk nor network."""

    KIND = "deb"
    """What of the suite: binary packages, or `deb-src`."""

    def __init__(self, source: Source, cache: Cache, *, arch: str = "amd64", patience: float = 1.0) -> None:
        """`patience` is how long to wait before the archive is asked again, in seconds, doubled each time."""
        self.source = source
        self.arch = arch
        self._patience = patience
        self._cache = cache
        self._known: frozenset[str] | None = None
        self._key = key_of(line=source.line(self.KIND), arch=arch)
        self.directory = cache.path("apt", self._key)

    @property
    def config(self) -> Path:
        """The file for `$APT_CONFIG` (after `update`), for other programs that use apt on this source."""
        return self.directory / "apt.conf"

    def update(self, *, force: bool = False) -> None:
        """Fetch the suite's lists unless they are less than a day old; a dated snapshot's never age.

        Old lists are good enough when the archive cannot be reached; without any, `KernelUnavailable`.
        """
        if not force and self._fresh():
            return
        with self._cache.lock(f"apt-{self._key}"):
            if not force and self._fresh():
                return
            self._cache.require(_LISTS_SIZE, f"the package lists of {self.source.suite}")
            self._configure()
            try:
                self._fetch_lists()
            except Unreachable as error:
                if not self._stamp.exists():
                    raise
                _LOG.warning("%s; using the lists fetched before", error)
                return
            self._known = None
            self._stamp.touch()
            self._apt("apt-cache", "gencaches")

    def names(self) -> frozenset[str]:
        """The names of all packages in the suite."""
        self.update()
        if self._known is None:
            self._known = frozenset(self._apt("apt-cache", "pkgnames").split())
        return self._known

    def packages(self, pattern: str) -> list[Package]:
        """Every version of every package whose name matches the glob, oldest first."""
        return self.named(fnmatch.filter(self.names(), pattern))

    def named(self, names: Iterable[str]) -> list[Package]:
        """Every version of the packages of these names, oldest first; a name the suite lacks is no error."""
        known = sorted(self.names().intersection(names))
        text = self._apt("apt-cache", "show", *known) if known else ""
        return sorted(self._records(text), key=lambda package: package.order)

    def download(self, package: Package) -> Path:
        """The package's .deb in the cache, its checksum verified now, whether fetched or found.

        Raises `KernelUnavailable` if it cannot be fetched or is not what the index says.
        """
        for _ in range(2):
            entry = self._cache.entry(
                "debs", package.sha256, lambda directory: self._fetch(package, directory)
            )
            file = next(entry.glob("*.deb"), None)
            if file is not None and sha256_of(file) == package.sha256:
                return file
            _LOG.warning("%s in the cache is damaged; fetching it again", package.name)
            self._cache.drop("debs", package.sha256)
        raise KernelUnavailable(
            f"{package.name} {package.version}: the cached file was damaged twice in a row"
        )

    def _fresh(self) -> bool:
        if not self._stamp.exists() or not self.config.exists():
            return False
        return self.source.snapshot is not None or time.time() - self._stamp.stat().st_mtime < _LISTS_AGE

    @property
    def _stamp(self) -> Path:
        return self.directory / "updated"

    def _configure(self) -> None:
        for name in ("lists/partial", "archives/partial", "etc/none.d"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        (self.directory / "status").touch()
        (self.directory / "etc" / "sources.list").write_text(self.source.line(self.KIND) + "\n")
        self.config.write_text(configuration(self.directory, self.arch, read_host_options()))

    def _fetch_lists(self) -> None:
        for attempt in self._attempts():
            with attempt:
                self._apt("apt-get", "update", "-qq", "--error-on=any")

    def _fetch(self, package: Package, directory: Path) -> None:
        self._cache.require(package.size + (16 << 20), f"{package.name} {package.version}")
        for attempt in self._attempts():
            with attempt:
                self._apt("apt-get", "download", "-qq", f"{package.name}={package.version}", cwd=directory)
        file = next(directory.glob("*.deb"), None)
        if file is None:
            raise KernelUnavailable(f"{package.name} {package.version}: apt-get download left no file")
        found = sha256_of(file)
        if found != package.sha256:
            raise KernelUnavailable(
                f"{package.name} {package.version}: wrong checksum, the archive's index says sha256 "
                f"{package.sha256}, the file has {found}",
            )

    def _apt(self, program: str, *arguments: str, cwd: Path | None = None) -> str:
        environment = {"APT_CONFIG": str(self.config)}
        try:
            return run([program, *arguments], cwd=cwd, environment=environment)
        except ToolFailed as failure:
            raise explain(failure.output, self.source) from failure

    def _records(self, text: str) -> Iterable[Package]:
        for record in Deb822.iter_paragraphs(text, use_apt_pkg=False):
            if "SHA256" in record:
                yield Package(
                    name=record["Package"],
                    version=record["Version"],
                    suite=self.source.suite,
                    origin=self.source.uri,
                    sha256=record["SHA256"],
                    size=int(record["Size"]),
                    depends=depends_of(record),
                    source=record.get("Source", record["Package"]),
                )

    def _attempts(self) -> tenacity.Retrying:
        return tenacity.Retrying(
            stop=tenacity.stop_after_attempt(3),
            wait=tenacity.wait_exponential(multiplier=self._patience, max=8),
            retry=tenacity.retry_if_exception_type(Unreachable),
            reraise=True,
        )


def depends_of(record: Mapping[str, str]) -> tuple[str, ...]:
    """The names in a control record's Depends and Pre-Depends, the first of each list of alternatives."""
    text = ", ".join(record[field] for field in ("Pre-Depends", "Depends") if record.get(field))
    return (
        tuple(alternatives[0]["name"] for alternatives in PkgRelation.parse_relations(text)) if text else ()
    )


def configuration(directory: Path, arch: str, options: Mapping[str, str]) -> str:
    """The text of an apt.conf that keeps everything in `directory` and none of the host's hooks."""
    settings = {
        "Dir::State": f"{directory}",
        "Dir::State::lists": f"{directory}/lists",
        "Dir::State::status": f"{directory}/status",
        "Dir::Cache": f"{directory}",
        "Dir::Cache::archives": f"{directory}/archives",
        "Dir::Cache::pkgcache": f"{directory}/pkgcache.bin",
        "Dir::Cache::srcpkgcache": "",
        "Dir::Etc": f"{directory}/etc",
        # $APT_CONFIG is read before these two, which would bring the host's hooks back
        "Dir::Etc::main": f"{directory}/etc/none",
        "Dir::Etc::parts": f"{directory}/etc/none.d",
        "Dir::Etc::sourcelist": f"{directory}/etc/sources.list",
        "Dir::Etc::sourceparts": f"{directory}/etc/none.d",
        "Dir::Etc::preferences": f"{directory}/etc/none",
        "Dir::Etc::preferencesparts": f"{directory}/etc/none.d",
        "Dir::Etc::trusted": f"{directory}/etc/none",
        "Dir::Etc::trustedparts": f"{directory}/etc/none.d",
        # a mirror of one's own may ask for a login, which stays where apt keeps it
        "Dir::Etc::netrc": "/etc/apt/auth.conf",
        "Dir::Etc::netrcparts": "/etc/apt/auth.conf.d",
        "APT::Architecture": arch,
        # user _apt cannot enter a cache in somebody's home
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled": "false",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        "Acquire::http::Timeout": "30",
        "Acquire::https::Timeout": "30",
        **options,
        # it is we who try again, with a message in between
        "Acquire::Retries": "0",
    }
    lines = [f'{key} "{value}";' for key, value in settings.items()]
    return "\n".join(["#clear APT::Architectures;", f'APT::Architectures:: "{arch}";', *lines]) + "\n"


def explain(output: str, source: Source) -> KernelUnavailable:
    """What apt's complaints mean, in one line, with what mends it."""
    complaints = [line for kind in _COMPLAINTS for line in kind.findall(output) if line]
    first = complaints[0] if complaints else output.strip() or "no reason given"
    where = f"{source.suite} at {source.uri}"
    if "Hash Sum mismatch" in output or "unexpected size" in output:
        return Unreachable(
            f"wrong checksum from {where}: {first}",
            hint="the mirror may be in the middle of an update: try again later, or name another mirror",
        )
    if _NETWORK.search(output):
        return Unreachable(
            f"the archive cannot be reached: {where}: {first}",
            hint="check the network, or name another mirror in kernels.yaml, settings: mirrors",
        )
    if "expired" in output and "Release file" in output:
        return KernelUnavailable(
            f"the Release file of {where} has expired",
            hint="the mirror is no longer updated; if you trust it, set check_valid_until: false",
        )
    if "does not have a Release file" in output:
        return KernelUnavailable(f"there is no suite {where}")
    if "EXPKEYSIG" in output:
        return KernelUnavailable(
            f"the key that signed {where} has expired since, and apt refuses it: {first}",
            hint="fetch the .deb yourself, check it, and name it in kernels.yaml: deb: PATH",
        )
    if re.search(r"NO_PUBKEY|BADSIG|REVKEYSIG|not signed|signatures were invalid", output):
        return KernelUnavailable(
            f"the signature of {where} is not one of Debian's: {first}",
            hint="sudo apt-get install --only-upgrade debian-archive-keyring",
        )
    return KernelUnavailable(f"{where}: {first}")
