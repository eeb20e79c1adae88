"""What the guest's console says. It is a guest's text: evidence, never trusted."""

from __future__ import annotations

import re
from pathlib import Path

from harness.errors import GuestError, GuestHang, KernelOops, KernelPanic

READY = b"KMATRIX-READY"
BOOT_FAILED = b"KMATRIX-BOOT-FAILED"

# Lines of the kernel's own making, at the start of a message (after printk's time stamp). A workload cannot write
# to the console: its output goes to files.
_AT_START = rb"(?m)^(?:\[ *\d+\.\d+\] *)?(?:\[[ T\d]+\] *)?"
_TROUBLE: tuple[tuple[re.Pattern[bytes], type[GuestError]], ...] = (
    (re.compile(_AT_START + rb"(Kernel panic - not syncing[^\r\n]*)"), KernelPanic),
    (re.compile(_AT_START + rb"((?:watchdog: )?BUG: soft lockup[^\r\n]*)"), GuestHang),
    (re.compile(_AT_START + rb"((?:watchdog: )?Watchdog detected hard LOCKUP[^\r\n]*)"), GuestHang),
    (re.compile(_AT_START + rb"((?:rcu: )?INFO: rcu_\w+ (?:self-)?detected stall[^\r\n]*)"), GuestHang),
    (re.compile(_AT_START + rb"(BUG: [^\r\n]*)"), KernelOops),
    (
        re.compile(_AT_START + rb"((?:Oops|general protection fault|invalid opcode|divide error)[^\r\n]*)"),
        KernelOops,
    ),
    (re.compile(_AT_START + rb"(kernel BUG at [^\r\n]*)"), KernelOops),
    (re.compile(_AT_START + rb"(Unable to handle kernel [^\r\n]*)"), KernelOops),
    (re.compile(_AT_START + rb"(WARNING: possible circular locking dependency[^\r\n]*)"), KernelOops),
)


def trouble(text: bytes) -> GuestError | None:
    """The gravest thing that a kernel said of itself in `text`, or None."""
    for pattern, error in _TROUBLE:
        if match := pattern.search(text):
            said = match.group(1).decode("utf-8", "replace").strip()
            return error(f"the guest's kernel reports: {said}", console=tail(text))
    return None


def tail(text: bytes, size: int = 4096) -> str:
    """The last `size` bytes as text."""
    return text[-size:].decode("utf-8", "replace")


class Console:
    """The console's log file, read from a mark on: each cell has its own stretch of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mark = 0

    def mark(self) -> None:
        """What comes from now on belongs to the next cell."""
        self._mark = self.path.stat().st_size if self.path.exists() else 0

    def read(self) -> bytes:
        """All that was said since the mark."""
        if not self.path.exists():
            return b""
        with self.path.open("rb") as file:
            file.seek(self._mark)
            return file.read()
