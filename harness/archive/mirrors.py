"""Where Debian's archives are, as the host's own apt configuration says."""

from __future__ import annotations

import functools
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.archive.tool import run
from harness.errors import HostError

_RELEASE_URI = re.compile(r"^'(?P<uri>[^']+?)/+dists/(?P<suite>[^']+)/InRelease' ")
_OPTION = re.compile(r'^(?P<key>[^ ]+) "(?P<value>.*)";$')
_KEPT_OPTIONS = re.compile(
    r"^Acquire::(https?|ftp)(::|$)|^Acquire::(Check-Valid-Until|Check-Date|ForceIPv[46])$",
    re.IGNORECASE,
)
_TARGET_FORMAT = "$(ORIGIN)|$(LABEL)|$(RELEASE)|$(REPO_URI)"


@dataclass(frozen=True)
class Mirrors:
    """The base URIs (no slash at the end) of Debian's two archives."""

    debian: str
    security: str

    def uri_for(self, suite: str) -> str:
        """The archive that carries `suite`: `bookworm-security` is not where `bookworm` is."""
        return self.security if is_security(suite) else self.debian


def is_security(suite: str) -> bool:
    """Whether a suite lives in the security archive; `wheezy/updates` is how it was called up to buster."""
    return suite.endswith(("-security", "/updates"))


def read_mirrors(overrides: Mapping[str, str]) -> Mirrors:
    """The host's mirrors; `overrides` (`debian`, `security`) is what kernels.yaml says instead.

    Raises `HostError` if the host's apt knows no Debian archive and kernels.yaml names none.
    """
    debian, security = overrides.get("debian"), overrides.get("security")
    if debian is None or security is None:
        found = _host_mirrors()
        if found is not None:
            debian, security = debian or found.debian, security or found.security
        elif debian is not None:
            security = security or _sibling(debian)
    if debian is None or security is None:
        raise HostError(
            "this host's apt configuration names no Debian archive",
            hint="name one in kernels.yaml, settings: mirrors: {debian: URL, security: URL}",
        )
    return Mirrors(debian.rstrip("/"), security.rstrip("/"))


def from_targets(lines: Iterable[str]) -> Mirrors | None:
    """Mirrors from `apt-get indextargets`, which knows each archive's origin once its lists were fetched."""
    debian = security = None
    for line in lines:
        origin, label, suite, uri = line.split("|", 3)
        if origin != "Debian":
            continue
        if label == "Debian-Security" or is_security(suite):
            security = security or uri
        elif label == "Debian":
            debian = debian or uri
    return _complete(debian, security)


def from_update(lines: Iterable[str]) -> Mirrors | None:
    """Mirrors from `apt-get update --print-uris`, for a host whose lists were never fetched (a container).

    The origin is not known yet. Other vendors' archives have a `/debian` path too, but only Debian's has
    `-updates` and `-backports` suites; the signature is checked with Debian's keys later in any case.
    """
    suites: dict[str, set[str]] = {}
    for line in lines:
        match = _RELEASE_URI.match(line)
        if match is not None and "ubuntu" not in match["uri"]:
            suites.setdefault(match["uri"], set()).add(match["suite"])
    security = next((uri for uri, names in suites.items() if any(map(is_security, names))), None)
    main = [uri for uri in suites if uri != security]
    updated = [
        uri for uri in main if any(suite.endswith(("-updates", "-backports")) for suite in suites[uri])
    ]
    debian = next(iter(updated + [uri for uri in main if uri.endswith("/debian")]), None)
    return _complete(debian, security)


def host_options(dump: str) -> dict[str, str]:
    """What a private apt must take over from `apt-config dump`: proxies, timeouts, clock checks."""
    options = {}
    for line in dump.splitlines():
        match = _OPTION.match(line)
        if (
            match
            and match["value"]
            and _KEPT_OPTIONS.search(match["key"])
            and not match["key"].endswith("::")
        ):
            options[match["key"]] = match["value"]
    return options


def read_host_options() -> dict[str, str]:
    """`host_options` of this host."""
    return host_options(run(["apt-config", "dump"]))


def _complete(debian: str | None, security: str | None) -> Mirrors | None:
    if debian is None:
        return None
    return Mirrors(debian.rstrip("/"), (security or _sibling(debian)).rstrip("/"))


def _sibling(debian: str) -> str:
    """Mirrors keep the security archive beside the main one, as `debian-security`."""
    return debian.rstrip("/") + "-security"


@functools.cache
def _host_mirrors() -> Mirrors | None:
    """Asked once: on a host that keeps no binary cache (a container), apt takes a second to answer."""
    return from_targets(_host_targets()) or from_update(_host_update())


def _host_targets() -> list[str]:
    return run(["apt-get", "indextargets", "--format", _TARGET_FORMAT]).splitlines()


def _host_update() -> list[str]:
    with tempfile.TemporaryDirectory(prefix="kmatrix-apt-") as directory:
        (Path(directory) / "partial").mkdir()
        # its own lists directory, so that an ordinary user needs no lock on the host's
        argv = ["apt-get", "-o", f"Dir::State::lists={directory}", "--print-uris", "update"]
        return run(argv).splitlines()
