"""The source of a scenario's workload, as it is in the checkout now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError
from harness.images.workload import FLAGS, local_headers
from harness.matrix import workloads
from harness.scenario import Scenario
from harness.suites import zdtm

_OWN = ("ready", "remember", "check")


@dataclass(frozen=True)
class WorkloadSource:
    """What starts the workload outside this lab."""

    name: str
    title: str
    """The first line of its documentation."""
    scenario: Scenario
    files: dict[str, Path]
    """Name to file: the module, its sources with their headers, its other files."""
    own_check: bool
    """Whether its module asks for more than what every workload says of itself."""

    @property
    def programs(self) -> tuple[str, ...]:
        """C files that become programs."""
        return tuple(Path(name).name for name in self.scenario.sources)

    @property
    def companions(self) -> tuple[str, ...]:
        """Files that lie beside the programs in the guest."""
        return tuple(Path(name).name for name in self.scenario.files)

    @property
    def flags(self) -> tuple[str, ...]:
        """What the compiler is given; a reproducer must not stop at another compiler's new warning."""
        return tuple(flag for flag in FLAGS if flag != "-Werror")

    @property
    def unscripted(self) -> str | None:
        """Why there can be no script that runs it outside this lab; None if there can."""
        if self.scenario.engine != "criu":
            return f"it runs in a container, and {self.scenario.engine} takes the checkpoint"
        if self.scenario.around:
            return "a program of the lab's prepares each step"
        return None


def find(directory: Path, name: str) -> WorkloadSource | None:
    """The workload of a scenario; a remedy behind its name (`cpu+remedy`) is no part of it.

    None for a test of CRIU's own suite, and for a scenario that is no longer there.
    """
    name = name.partition("+")[0]
    path = directory / f"{name}.py"
    if name.startswith(f"{zdtm.NAME}.") or "/" in name or not path.is_file():
        return None
    try:
        found = workloads.load(path)
    except ConfigError:  # it was a scenario when the run was made
        return None
    files = {path.name: path}
    for source in found.sources:
        files |= {header.name: header for header in local_headers(source)}
    files |= {Path(one).name: path.parent / one for one in found.scenario.files}
    title = (found.module.__doc__ or name).strip().partition("\n")[0]
    own = any(hasattr(found.module, function) for function in _OWN)
    return WorkloadSource(name, title, found.scenario, dict(sorted(files.items())), own)
