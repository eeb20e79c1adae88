"""What takes a workload down on one kernel and brings it up on another: CRIU alone, or a container engine.

An engine does four things at a site: it starts a workload, dumps it, restores it, and says which process of the guest
it is. `criu` is the first one; what container engines have in common is in `engine_containers`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from harness.errors import ConfigError, GuestCommandFailed
from harness.migration.checkpoint import Checkpoint
from harness.migration.engine_containers import CRUN, LXC, PODMAN, RUNC, VOLUME, Container, settings
from harness.migration.site import CriuRun, Site
from harness.scenario import Scenario, Workload


class Engine(Protocol):
    """How a scenario's workload is run, taken down and brought back."""

    @property
    def name(self) -> str:
        """As `Scenario.engine` has it."""

    def start(
        self, site: Site, payload: Path, scenario: Scenario
    ) -> tuple[Workload, dict[str, tuple[str, ...]]]:
        """Start the workload; with it the engine's exact commands, by name. Raises `GuestCommandFailed`."""

    def dump(self, site: Site, workload: Workload, scenario: Scenario) -> CriuRun:
        """Checkpoint the workload. Whether that succeeded is for CRIU's log to say."""

    def restore(
        self, site: Site, checkpoint: Checkpoint, scenario: Scenario
    ) -> tuple[CriuRun, dict[str, tuple[str, ...]]]:
        """Bring the inserted checkpoint's workload back; with it the commands that prepared this, by name."""

    def restored(self, site: Site, checkpoint: Checkpoint, scenario: Scenario) -> Workload:
        """The workload after a restore. Raises AssertionError if the engine knows of none."""

    def incapable(self, output: str) -> str | None:
        """The line in which the engine says that it was built without this; None if it does not."""

    def complaint(self, done: CriuRun, output: str) -> str | None:
        """What the engine itself says went wrong, whatever CRIU's log says; None if nothing."""


class _Criu:
    """CRIU itself, told what to do by the lab."""

    name = "criu"

    def start(
        self, site: Site, payload: Path, scenario: Scenario
    ) -> tuple[Workload, dict[str, tuple[str, ...]]]:
        pid = site.start(payload, scenario.command, scenario.own_network)
        return Workload(site.host, pid), {}

    def dump(self, site: Site, workload: Workload, scenario: Scenario) -> CriuRun:
        return site.dump(workload.pid, (*scenario.criu, *scenario.dump), scenario.around)

    def restore(
        self, site: Site, checkpoint: Checkpoint, scenario: Scenario
    ) -> tuple[CriuRun, dict[str, tuple[str, ...]]]:
        return site.restore(checkpoint, (*scenario.criu, *scenario.restore), scenario.around), {}

    def restored(self, site: Site, checkpoint: Checkpoint, scenario: Scenario) -> Workload:
        pid = checkpoint.manifest.pid if scenario.pidfile is None else site.adopt(scenario.pidfile)
        return Workload(site.host, pid)

    def incapable(self, output: str) -> str | None:
        return None

    def complaint(self, done: CriuRun, output: str) -> str | None:
        return None


class _Contained:
    """A container engine: the workload is the first process of a container."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self.name = container.name

    def start(
        self, site: Site, payload: Path, scenario: Scenario
    ) -> tuple[Workload, dict[str, tuple[str, ...]]]:
        container = self._container
        site.guest.insert(payload)
        site.unpack()
        site.contain("rootfs")
        site.lay(container.files(scenario.command))
        for step in container.made_once:
            site.contain(*step)
        commands = self._prepare(site, scenario)
        commands["start"] = container.start(scenario.command)
        site.require("start", commands["start"])
        return self._find(site), commands

    def dump(self, site: Site, workload: Workload, scenario: Scenario) -> CriuRun:
        return site.dump_by(self._container.dump(scenario.criu))

    def restore(
        self, site: Site, checkpoint: Checkpoint, scenario: Scenario
    ) -> tuple[CriuRun, dict[str, tuple[str, ...]]]:
        site.unpack(checkpoint.manifest.uptime)
        commands = self._prepare(site, scenario)
        return site.restore_by(self._container.restore(scenario.criu)), commands

    def restored(self, site: Site, checkpoint: Checkpoint, scenario: Scenario) -> Workload:
        try:
            return self._find(site)
        except GuestCommandFailed as failure:
            raise AssertionError(f"{self.name} has no container after the restore: {failure}") from failure

    def incapable(self, output: str) -> str | None:
        found = re.search(rf"^.*(?:{self._container.incapable}).*$", output, re.MULTILINE)
        return found[0].strip() if found else None

    def complaint(self, done: CriuRun, output: str) -> str | None:
        # Unlike CRIU's, its exit code tells of what CRIU had no part in: the export, a cgroup, a hook.
        if done.returncode == 0:
            return None
        lines = output.strip().splitlines() or ["it said nothing"]
        return f"{self.name} ended with {done.returncode}: {lines[-1].strip()}"

    def _prepare(self, site: Site, scenario: Scenario) -> dict[str, tuple[str, ...]]:
        """What the guest must have on either side, and does not travel."""
        container = self._container
        site.lay(settings(scenario.criu))
        for made in container.made_again:
            site.contain(*made)
        commands = container.prepare()
        for name, argv in commands.items():
            site.require(name, argv)
        return commands

    def _find(self, site: Site) -> Workload:
        pid, inner = site.find(self._container.find())
        return Workload(site.host, pid, directory=VOLUME, inner=inner)


_CONTAINERS: tuple[Container, ...] = (RUNC, CRUN, PODMAN, LXC)
_ENGINES: dict[str, Engine] = {"criu": _Criu(), **{one.name: _Contained(one) for one in _CONTAINERS}}


def engine_of(scenario: Scenario) -> Engine:
    """The engine that a scenario names. Raises `ConfigError` if there is none of that name."""
    try:
        return _ENGINES[scenario.engine]
    except KeyError:
        known = ", ".join(_ENGINES)
        raise ConfigError(f"there is no engine {scenario.engine!r}; there are: {known}") from None
