"""Entries of sources.list: which suite, from which archive, checked by whose keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.archive.mirrors import Mirrors, is_security
from harness.errors import ConfigError, HostError

KEYRINGS = Path("/usr/share/keyrings")
"""Where Debian's package debian-archive-keyring puts the archive's keys."""


@dataclass(frozen=True)
class Source:
    """One suite of one archive."""

    suite: str
    uri: str
    components: tuple[str, ...] = ("main",)
    check_valid_until: bool = True
    snapshot: str | None = None
    keyrings: tuple[Path, ...] = (KEYRINGS / "debian-archive-keyring.gpg",)

    def line(self, kind: str = "deb") -> str:
        """The one-line form for sources.list; `kind` is `deb` or `deb-src`."""
        options = [f"signed-by={','.join(map(str, self.keyrings))}"]
        if not self.check_valid_until:
            options.append("check-valid-until=no")
        return f"{kind} [{' '.join(options)}] {self.uri} {self.suite} {' '.join(self.components)}"


def sources(
    suites: Iterable[str],
    mirrors: Mirrors,
    *,
    components: Sequence[str] = ("main",),
    check_valid_until: bool = True,
    snapshot: str | None = None,
    snapshot_mirror: str | None = None,
) -> tuple[Source, ...]:
    """The sources for `suites`, from the mirrors or, with `snapshot` (a timestamp), from the snapshot mirror.

    A dated snapshot's Release file has expired by its nature, so its date is never checked.
    Raises `ConfigError` if a snapshot is asked for and `snapshot_mirror` is not set.
    """
    if snapshot is not None and snapshot_mirror is None:
        raise ConfigError(
            f"snapshot {snapshot} needs a snapshot mirror",
            hint="set settings: snapshot_mirror: URL in kernels.yaml",
        )
    return tuple(
        Source(
            suite=suite,
            uri=snapshot_uri(snapshot_mirror, suite, snapshot)
            if snapshot and snapshot_mirror
            else mirrors.uri_for(suite),
            components=tuple(components),
            check_valid_until=check_valid_until and snapshot is None,
            snapshot=snapshot,
            keyrings=keyrings(dated=snapshot is not None),
        )
        for suite in suites
    )


def source_lines(
    suites: Iterable[str],
    mirrors: Mirrors,
    *,
    components: Sequence[str] = ("main",),
    check_valid_until: bool = True,
) -> list[str]:
    """`deb [...] URI suite components` lines, ready for a sources.list or for mmdebstrap's arguments."""
    entries = sources(suites, mirrors, components=components, check_valid_until=check_valid_until)
    return [entry.line() for entry in entries]


def snapshot_uri(mirror: str, suite: str, timestamp: str) -> str:
    """The archive as it was at `timestamp` (`20131115T000000Z`), in the layout of snapshot services."""
    archive = "debian-security" if is_security(suite) else "debian"
    return f"{mirror.rstrip('/')}/archive/{archive}/{timestamp}"


def keyrings(*, dated: bool = False, directory: Path = KEYRINGS) -> tuple[Path, ...]:
    """The keys that may sign a Release file; a dated snapshot may be signed by one that was retired since.

    Raises `HostError` if Debian's keyring is not installed.
    """
    current = directory / "debian-archive-keyring.gpg"
    if not current.is_file():
        raise HostError(
            "the keys of Debian's archive are not installed",
            hint="sudo apt-get install debian-archive-keyring",
        )
    retired = directory / "debian-archive-removed-keys.gpg"
    return (current, retired) if dated and retired.is_file() else (current,)
