"""Where things are: the checkout, its `kernels.yaml`, its scenarios, its runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError

CONFIG = "kernels.yaml"
LATEST = "latest"


@dataclass(frozen=True)
class Place:
    """A checkout."""

    root: Path

    @property
    def config(self) -> Path:
        """`kernels.yaml`, as short as it can be said from the working directory."""
        path = self.root / CONFIG
        here = Path.cwd()
        return path.relative_to(here) if path.is_relative_to(here) else path

    @property
    def scenarios(self) -> Path:
        """The scenarios' directory."""
        return self.root / "scenarios"

    @property
    def reports(self) -> Path:
        """The runs' directory."""
        return self.root / "reports"

    def run(self, name: str | None) -> Path:
        """A run's folder: a path, the name of a run, or None for the newest. Raises `ConfigError` if there is none."""
        if name is not None and Path(name).is_dir():
            return Path(name)
        found = self.reports / (name or LATEST)
        if found.is_dir():
            return found.resolve()
        if name is None:
            raise ConfigError(f"there is no run in {self.reports} yet", hint="kmatrix run")
        raise ConfigError(f"there is no run {name!r} in {self.reports}", hint=f"ls {self.reports}")


def find(start: Path | None = None, package: Path | None = None) -> Place:
    """The checkout that holds `start`, by default the working directory; else the one kmatrix is installed from.

    Raises `ConfigError` if there is neither. `package` is the directory of the harness.
    """
    here = (start or Path.cwd()).absolute()
    home = (package or Path(__file__).parent.parent).parent
    for directory in (here, *here.parents, home):
        if (directory / "scenarios").is_dir() and (directory / "conftest.py").is_file():
            return Place(directory)
    raise ConfigError(f"{here} is in no checkout of kmatrix", hint="cd to one")
