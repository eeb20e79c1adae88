"""What a scenario is: a reference workload, how to start it, what to remember, what must hold afterwards.

A scenario is one module under `scenarios/`. Its docstring says what it holds and which kernel interfaces it leans
on; it defines `SCENARIO` and `CORRUPTIONS`. What a workload of `workload.h` needs beyond that is the same for all,
so `ready`, `remember`, `check` and `corrupt` have defaults (`harness.matrix.workloads.Reference`), which a module
replaces by defining a function of that name. See `docs/scenarios.md`.
"""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import dataclass, field
from typing import Any

from testinfra.backend.base import CommandResult
from testinfra.host import Host

WORK = "/work"
"""The workload's directory in the guest. It travels with the checkpoint, so paths in it exist on both sides."""
HAND = "/usr/lib/kmatrix/hand"
"""The lab's own program in the guest (`images/guest/hand.c`) that waits for a workload and asks it."""

_LATE = 4
"""The hand's exit status when it has waited long enough."""
_STRETCH = 5.0
"""Seconds that the hand waits at most before it is asked again. It counts naps, and where a workload keeps the only
processor busy these are long: a JVM's start under emulation made 30 s of 20."""


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
    features: tuple[str, ...] = ()
    """What `criu check --feature NAME` must say yes to, on the source and on the destination."""


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
    dump: tuple[str, ...] = ()
    """CRIU options that only the dump gets."""
    restore: tuple[str, ...] = ()
    """CRIU options that only the restore gets."""
    around: tuple[str, ...] = ()
    """A program in the guest that prepares a step, runs CRIU and ends as CRIU does: it is given `dump` or `restore` and
    CRIU's command line. One that ends with 77 says that this kernel cannot hold the workload."""
    pidfile: str | None = None
    """A file below `/work` that names the root of the tree, where `command` only starts it and ends. CRIU's `--pidfile`
    writes it anew where the pid may be another one after the restore: with a pid namespace."""
    engine: str = "criu"
    """What starts, dumps and restores it: `criu`, or a container engine (`harness.migration.engine`)."""
    own_network: bool = False
    """Run the workload in a network namespace of its own, loopback up."""
    sysctls: tuple[str, ...] = ()
    """Settings that both kernels must have before the workload is started or restored, as `sysctl -w` takes them, e.g.
    `vm.nr_hugepages=8`: a precondition of the state that no checkpoint can carry, because it is not the process's."""
    moving: tuple[str, ...] = ()
    """Facts that may differ after the move; every other fact is compared by the default `check`."""
    refusal: str | None = None
    """A regular expression: CRIU cannot save this state and says so in these words when it refuses the dump. The cell
    is then a skip with that reason; a dump that fails in other words is a failure, and one that succeeds is checked
    like any other."""


@dataclass(frozen=True)
class Workload:
    """A started workload, seen from outside."""

    host: Host
    pid: int
    """The root process, the same number before the dump and after the restore."""
    directory: str = WORK
    hand: str = HAND
    """The program that asks; where the workload runs elsewhere than in a guest, so does this."""
    inner: int | None = None
    """The pid by which the process knows itself, where that is another one: in a pid namespace."""

    @property
    def own_pid(self) -> int:
        """The pid that the process must find itself to have."""
        return self.pid if self.inner is None else self.inner

    def ask(self, question: str = "report", seconds: float = 30.0) -> Facts:
        """Put a question to the process and return the report that it writes about itself.

        The question goes to the file `question` in the workload's directory, then the process gets SIGUSR1. It
        answers by writing JSON to `report.json.new` and renaming it to `report.json`, which is taken away once read:
        the next process must not find in a file what only this one's memory should hold. `report` describes and
        changes nothing; `check` may consume what is under test; `corrupt WHAT` is for self-tests.
        Raises AssertionError if it does not answer within `seconds`: such a process has lost its state.
        """
        result = self._call("ask", "report.json", seconds, question)
        self._blame(result, f"did not answer {question!r} within {seconds:g} s")
        report: Facts = json.loads(result.stdout)
        return report

    def await_ready(self, seconds: float = 20.0) -> None:
        """Wait until the process has made the file `ready`. Raises AssertionError if it ends or does not."""
        left = seconds
        result = self._call("await", "ready", min(left, _STRETCH))
        # in stretches: a command in a guest has a deadline of its own, and a database takes longer to begin
        while result.rc == _LATE and left > _STRETCH:
            left -= _STRETCH
            result = self._call("await", "ready", min(left, _STRETCH))
        self._blame(result, f"was not ready within {seconds:g} s")

    def _call(self, step: str, file: str, seconds: float, *question: str) -> CommandResult:
        place = f"{self.directory}/{file}"
        words = [self.hand, step, str(self.pid), place, str(math.ceil(seconds)), *question]
        return self.host.run(shlex.join(words))

    def _blame(self, result: CommandResult, delay: str) -> None:
        assert result.rc != 3, f"process {self.pid} is gone: {result.stderr.strip()}"
        assert result.rc != _LATE, f"process {self.pid} {delay}"
        assert result.rc == 0, f"cannot talk to process {self.pid}: {result.stderr.strip()}"
