"""The lab's own errors. None of them is ever a finding about a kernel or about CRIU.

`ConfigError` and its kin end a command with exit code 2 (usage, configuration); the rest with 6 (lab broken).
A guest that panics or hangs is evidence, so those errors carry what the console said.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every kmatrix command."""

    OK = 0
    BREAKAGE = 1
    USAGE = 2
    LAB = 6
    INTERRUPTED = 130


class HarnessError(Exception):
    """Something is wrong with the lab, not with what it measures."""

    exit_code: Exit = Exit.LAB

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """`hint` is the exact command or edit that mends it, shown on a line of its own."""
        super().__init__(message)
        self.hint = hint


class ConfigError(HarnessError):
    """`kernels.yaml` or the command line asks for something that cannot be."""

    exit_code = Exit.USAGE


class HostError(HarnessError):
    """This host lacks something: QEMU, libvirt, disk space, a package."""


class KernelUnavailable(HarnessError):
    """A kernel cannot be fetched, or is not what its checksum says."""


class ImageError(HarnessError):
    """A userland's root disk or a workload's binary cannot be built."""


class CheckpointDamaged(HarnessError):
    """A stored checkpoint does not match its manifest; it is made again, never restored."""


class DeadlineExceeded(HarnessError):
    """A step took longer than it was given."""


class CannotRun(HarnessError):
    """A cell asks for what this kernel, userland or CRIU does not have: a skip with this reason, not a failure."""


class BaselineFailed(CannotRun):
    """The workload does not run under a kernel even without CRIU: nothing can be said of a move."""


class DiagonalFailed(CannotRun):
    """What a scenario holds is lost or refused under one kernel alone: nothing is asked of a move."""


class Refused(CannotRun):
    """CRIU does not save such a state and says so, as the scenario expects."""


class GuestError(HarnessError):
    """The guest went away: nothing that ran in it can be judged."""

    def __init__(self, message: str, *, console: str = "", hint: str | None = None) -> None:
        """`console` is the tail of the guest's console, untrusted text."""
        super().__init__(message, hint=hint)
        self.console = console


class BootTimeout(GuestError):
    """The guest did not announce readiness before its deadline."""


class GuestLost(GuestError):
    """The guest runs, but its agent no longer answers."""


class GuestHang(GuestError):
    """The guest's kernel makes no progress: neither agent nor console nor processor."""


class QemuDied(GuestError):
    """The QEMU process ended on its own."""


class KernelPanic(GuestError):
    """The guest's kernel panicked."""


class KernelOops(GuestError):
    """The guest's kernel reported an oops, a BUG or a stall and may still run."""


class KernelComplaint(GuestError):
    """The guest's kernel warned of itself, or tainted itself, and goes on."""


class GuestCommandFailed(HarnessError):
    """A command that the lab itself needs failed inside a healthy guest."""
