"""A guest for the tests: booted once, reset for every test, booted again when a test has destroyed it."""

from __future__ import annotations

import itertools

from harness.deadline import Deadline
from harness.errors import GuestError
from harness.guests.agent import CommandResult
from harness.guests.domain import processor
from harness.guests.guest import Boot, Guest, Hardware
from harness.guests.hypervisor import Hypervisor

HARDWARE = Hardware("tcg", processor("Haswell-noTSX", "tcg"), 512 << 20, 1, ("mitigations=off",))
BOOT_SECONDS = 120.0
"""Generous: other guests may keep all processors busy."""


class Stage:
    """Where the tests' guest stands."""

    def __init__(self, hypervisor: Hypervisor, boot: Boot) -> None:
        self.hypervisor = hypervisor
        self.boot = boot
        self._guest: Guest | None = None
        self._serial = itertools.count()

    def new(self) -> Guest:
        """A guest that was never booted; the caller closes it."""
        return Guest(self.hypervisor, f"stage-{next(self._serial)}", self.boot, HARDWARE)

    def fresh(self) -> Guest:
        """A guest in the state in which it was when it had booted."""
        if self._guest is not None:
            try:
                self._guest.reset()
            except GuestError:
                self.close()
        if self._guest is None:
            guest = self.new()
            try:
                guest.boot(Deadline.after(BOOT_SECONDS))
                guest.snapshot()
            except BaseException:
                guest.close()
                raise
            self._guest = guest
        return self._guest

    def rest(self) -> None:
        """Stop the guest's processor between tests."""
        if self._guest is not None:
            try:
                self._guest.park()
            except GuestError:
                self.close()

    def close(self) -> None:
        """End the guest."""
        if self._guest is not None:
            self._guest.close()
            self._guest = None


def shell(guest: Guest, line: str, seconds: float = 60.0) -> CommandResult:
    """Run a line of shell in a guest."""
    return guest.run("/bin/sh", "-c", line, deadline=Deadline.after(seconds))
