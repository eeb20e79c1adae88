"""What a scenario is: a reference workload, how to start it, what to remember, what must hold afterwards.

A scenario is one module under `scenarios/`. Its docstring says what it holds and which kernel interfaces it leans
on; it defines `SCENARIO`, `remember(host, workload)` and `check(host, workload, before)`, and, where the workload
needs a moment before it can be dumped, `ready(host, workload)`. See `docs/scenarios.md`.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from typing import Any, Protocol

from testinfra.host import Host

WORK = "/work"
"""The workload's directory in the guest. It travels with the checkpoint, so paths in it exist on both sides."""


Facts = dict[str, Any]
"""What `remember` returns: JSON values, kept in the checkpoint's manifest."""


@dataclass(frozen=True)
class Needs:
    """What a kernel or userland must have for the scenario to run at all; a cell without it is a skip."""

    packages: tuple[str, ...] = ()
    """Debian packages in the userland's image."""
    config: tuple[str, ...] = ()
    """Kernel configuration symbols, `CONFIG_` included."""
    kernel: str | None = None
    """The oldest kernel version, e.g. `5.6`."""


@dataclass(frozen=True)
class Scenario:
    """The static part of a reference workload."""

    command: tuple[str, ...]
    """argv of the process whose tree is checkpointed, run in `/work` as the leader of its own session."""
    sources: tuple[str, ...] = ()
    """C files beside the module; `x.c` becomes `/work/bin/x`, linked against the userland's own libc."""
    files: tuple[str, ...] = ()
    """Files beside the module that are copied to `/work/bin/`."""
    libraries: tuple[str, ...] = ()
    """Linker arguments for `sources`, e.g. `-lpthread`."""
    tags: tuple[str, ...] = ("object",)
    needs: Needs = field(default_factory=Needs)
    criu: tuple[str, ...] = ()
    """CRIU options that both dump and restore get, e.g. `--tcp-established`."""
    own_network: bool = False
    """Run the workload in a network namespace of its own, loopback up."""


@dataclass(frozen=True)
class Workload:
    """A started workload, seen from outside."""

    host: Host
    pid: int
    """The root process, the same number before the dump and after the restore."""
    directory: str = WORK

    def ask(self, seconds: float = 20.0) -> Facts:
        """Send SIGUSR1 and return the report that the process writes about itself.

        The process answers by writing JSON to `report.json.new` in its directory and renaming it to `report.json`.
        Raises AssertionError if it does not within `seconds`: a process that no longer answers has lost its state.
        """
        report = shlex.quote(f"{self.directory}/report.json")
        ticks = max(1, int(seconds / 0.02))
        result = self.host.run(
            f"rm -f {report}; kill -USR1 {self.pid} || exit 3; n=0; while [ ! -e {report} ]; do "
            f"n=$((n+1)); [ $n -gt {ticks} ] && exit 4; sleep 0.02; done; cat {report}"
        )
        assert result.rc != 3, f"process {self.pid} is gone: {result.stderr.strip()}"
        assert result.rc != 4, f"process {self.pid} did not report within {seconds:g} s"
        assert result.rc == 0, f"cannot ask process {self.pid}: {result.stderr.strip()}"
        report_json: Facts = json.loads(result.stdout)
        return report_json


class ScenarioModule(Protocol):
    """What the lab calls in a scenario's module."""

    SCENARIO: Scenario

    def remember(self, host: Host, workload: Workload) -> Facts:
        """What is true before the dump."""

    def check(self, host: Host, workload: Workload, before: Facts) -> None:
        """Assert that it still is, and that the same process went on."""
