"""The Debian packages that the host needs: the table that `ci/bootstrap.sh` and `kmatrix doctor` share."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

TABLE = Path(__file__).with_name("host-packages.txt")


class Need(StrEnum):
    """What a package is needed for."""

    RUN = "run"
    SETUP = "setup"
    TEST = "test"


@dataclass(frozen=True)
class HostPackage:
    """One line of the table."""

    name: str
    need: Need
    proof: str | None
    """A program on the path or a glob of absolute paths; None if only the package database knows."""
    purpose: str

    def is_here(self, path: str, root: Path = Path("/")) -> bool:
        """Whether its proof is on this host; True if there is no proof to look for."""
        if self.proof is None:
            return True
        if self.proof.startswith("/"):
            return any(True for _ in root.glob(self.proof.removeprefix("/")))
        return shutil.which(self.proof, path=path) is not None


def read(table: Path = TABLE) -> list[HostPackage]:
    """The table, in its order. Raises ValueError if a line is not as its head says."""
    packages = []
    for line in table.read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        name, need, proof, purpose = line.split(maxsplit=3)
        packages.append(HostPackage(name, Need(need), None if proof == "-" else proof, purpose))
    return packages


def install_command(names: list[str], *, as_root: bool) -> str:
    """The one command that installs packages."""
    sudo = "" if as_root else "sudo "
    return f"{sudo}apt-get install --no-install-recommends {' '.join(names)}"
