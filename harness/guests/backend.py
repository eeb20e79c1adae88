"""testinfra's `host`, spoken to over libvirt, with a deadline on every command.

testinfra has no plug-in point for backends and its `run()` has no timeout (pytest-testinfra issue #10), so the lab
builds `Host(backend)` itself.
"""

from __future__ import annotations

import re
from typing import Any

from testinfra.backend.base import BaseBackend
from testinfra.backend.base import CommandResult as TestinfraResult
from testinfra.host import Host

from harness.deadline import Deadline
from harness.guests.guest import Guest

_PLAIN = re.compile(r"/usr/lib/kmatrix/\w+(?: [\w./:,@+-]+)*", re.ASCII)


class GuestBackend(BaseBackend):  # type: ignore[misc]  # testinfra is untyped
    """Commands run in a guest, as root."""

    NAME = "guest"

    def __init__(self, guest: Guest, command_seconds: float) -> None:
        """Each command may take `command_seconds`, unless a phase has a deadline of its own."""
        super().__init__(guest.spec.name)
        # Else the first non-ASCII output runs python3 in the guest to ask for its locale.
        self._encoding = "UTF-8"
        self._guest = guest
        self._command_seconds = command_seconds
        self.phase: Deadline | None = None
        """By when all of it must be over, in place of the single command's time."""
        self.seconds = 0.0
        """What all commands so far took, by the host's clock."""

    def run(self, command: str, *args: str, **kwargs: Any) -> TestinfraResult:  # noqa: ANN401  testinfra's signature
        """Run a shell command. Raises `DeadlineExceeded` and every `GuestError`."""
        line = self.get_command(command, *args)
        deadline = self.phase or Deadline.after(self._command_seconds)
        done = self._guest.run(*command_of(line), deadline=deadline)
        self.seconds += done.seconds
        return self.result(done.returncode, self.encode(line), done.stdout, done.stderr)


def command_of(line: str) -> tuple[str, ...]:
    """argv that does what a shell makes of `line`: a shell, but for one of the lab's own programs without ornament.

    Under emulation a shell costs 0.04 s before it starts what it is told, and a cell calls these programs six times.
    """
    own = _PLAIN.fullmatch(line)
    return tuple(line.split(" ")) if own else ("/bin/sh", "-c", line)


def guest_host(backend: GuestBackend) -> Host:
    """A fresh testinfra host: nothing remembered from another guest or an earlier cell."""
    host = Host(backend)
    backend.set_host(host)
    return host
