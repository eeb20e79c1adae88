"""What a scenario is: a reference workload, how to start it, what to remember, what must hold afterwards.

A scenario is one module under `scenarios/`. Its docstring says what it holds and which kernel interfaces it leans
on; it defines `SCENARIO`, `remember(host, workload)` and `check(host, workload, before)`, and, where the workload
needs a moment before it can be dumped, `ready(host, workload)`. See `docs/scenarios.md`.
"""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import dataclass, field
from typing import Any, Protocol

from testinfra.backend.base import CommandResult
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

    def ask(self, question: str = "report", seconds: float = 30.0) -> Facts:
        """Put a question to the process and return the report that it writes about itself.

        The question goes to the file `question` in the workload's directory, then the process gets SIGUSR1. It
        answers by writing JSON to `report.json.new` and renaming it to `report.json`, which is taken away once read:
        the next process must not find in a file what only this one's memory should hold. `report` describes and
        changes nothing; `check` may consume what is under test; `corrupt WHAT` is for self-tests.
        Raises AssertionError if it does not answer within `seconds`: such a process has lost its state.
        """
        result = self.host.run(
            f"{self._enter()}; [ ! -e report.json ] || rm report.json; echo -n {shlex.quote(question)} >question; "
            f"kill -USR1 {self.pid} || exit 3; {self._await('report.json', seconds)}; cat report.json; rm report.json"
        )
        self._blame(result, f"did not answer {question!r} within {seconds:g} s")
        report: Facts = json.loads(result.stdout)
        return report

    def await_ready(self, seconds: float = 20.0) -> None:
        """Wait until the process has made the file `ready`. Raises AssertionError if it ends or does not."""
        result = self.host.run(f"{self._enter()}; {self._await('ready', seconds)}")
        self._blame(result, f"was not ready within {seconds:g} s")

    def _enter(self) -> str:
        return f"cd {shlex.quote(self.directory)} || exit 5"

    def _await(self, name: str, seconds: float) -> str:
        """Shell that waits for a file. It reads /proc by itself: in a guest a fork is dear."""
        return (
            f"read -r up _ </proc/uptime; end=$((${{up%%.*}}+{math.ceil(seconds)})); while [ ! -e {name} ]; do "
            f"read -r stat </proc/{self.pid}/stat || exit 3; case $stat in *') Z '*) exit 3;; esac; "
            f"read -r up _ </proc/uptime; "
            f"[ ${{up%%.*}} -gt $end ] && exit 4; sleep 0.02; done"
        )

    def _blame(self, result: CommandResult, delay: str) -> None:
        assert result.rc != 3, f"process {self.pid} is gone: {result.stderr.strip()}"
        assert result.rc != 4, f"process {self.pid} {delay}"
        assert result.rc == 0, f"cannot talk to process {self.pid}: {result.stderr.strip()}"


class ScenarioModule(Protocol):
    """What the lab calls in a scenario's module."""

    SCENARIO: Scenario

    def remember(self, host: Host, workload: Workload) -> Facts:
        """What is true before the dump."""

    def check(self, host: Host, workload: Workload, before: Facts) -> None:
        """Assert that it still is, and that the same process went on."""
