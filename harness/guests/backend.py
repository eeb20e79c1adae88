"""testinfra's `host`, spoken to over libvirt, with a deadline on every command.

testinfra has no plug-in point for backends and its `run()` has no timeout (pytest-testinfra issue #10), so the lab
builds `Host(backend)` itself.
"""

from __future__ import annotations

from typing import Any

from testinfra.backend.base import BaseBackend
from testinfra.backend.base import CommandResult as TestinfraResult
from testinfra.host import Host

from harness.deadline import Deadline
from harness.guests.guest import Guest


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
        done = self._guest.run("/bin/sh", "-c", line, deadline=deadline)
        self.seconds += done.seconds
        return self.result(done.returncode, self.encode(line), done.stdout, done.stderr)


def guest_host(backend: GuestBackend) -> Host:
    """A fresh testinfra host: nothing remembered from another guest or an earlier cell."""
    host = Host(backend)
    backend.set_host(host)
    return host
