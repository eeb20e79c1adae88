"""What the guest's console says. It is a guest's text: evidence, never trusted."""

from __future__ import annotations

import re
from pathlib import Path

from harness.errors import GuestError, GuestHang, GuestLost, KernelOops, KernelPanic

READY = b"KMATRIX-READY"
BOOT_FAILED = b"KMATRIX-BOOT-FAILED"

# Lines of the kernel's own making, at the start of a message, after printk's time stamp and caller (`[    1.234567]
# [    C0] `). A workload cannot write to the console, its output goes to files; but it chooses its own name of up to 15
# bytes, with which the kernel begins some lines about it: `BUG: me[4711]: segfault at 0`.
_NAMED = rb"(?![^\r\n]{1,15}(?:\[\d+\]: segfault| \(\d+\): | invoked oom-killer|: page allocation failure))"
_AT_START = rb"(?m)^(?:\[ *\d+\.\d+\] *)?+(?:\[ *[TC]\d+\] *)?+" + _NAMED
_REST = rb"[^\r\n]*)"
_TROUBLE: tuple[tuple[bytes, re.Pattern[bytes], type[GuestError]], ...] = tuple(
    (needle, re.compile(_AT_START + b"(" + words + _REST), error)
    # Looking for the first column before anything else makes a search 50 times as fast.
    for needle, words, error in (
        (b"Kernel panic", rb"Kernel panic - not syncing", KernelPanic),
        # `NMI watchdog: ` up to 4.10, `watchdog: ` since, nothing in 3.x
        (b"soft lockup", rb"(?:(?:NMI )?watchdog: )?BUG: soft lockup", GuestHang),
        (b"hard LOCKUP", rb"(?:(?:NMI )?watchdog: )?Watchdog detected hard LOCKUP", GuestHang),
        (b"detected stall", rb"(?:rcu: )?INFO: rcu_\w+ (?:self-)?detected stall", GuestHang),
        (b"BUG: ", rb"BUG: ", KernelOops),
        (b"kernel BUG at", rb"kernel BUG at ", KernelOops),
        (b"double fault", rb"PANIC: double fault", KernelOops),
        # Whatever the kernel died of: `Oops: 0002 [#1] SMP PTI`, `general protection fault, ...: 0000 [#1]`
        (b" [#", rb"[^\r\n]{1,120}: [0-9a-f]{4} \[#\d+\]", KernelOops),
        (b"the agent ended", rb"kmatrix: the agent ended with status \d+", GuestLost),
    )
)


def _gravest(text: bytes) -> tuple[int, str] | None:
    """Rank (0 is the gravest) and words of what a kernel said of itself, or init of the agent."""
    for rank, (needle, pattern, _) in enumerate(_TROUBLE):
        if needle in text and (match := pattern.search(text)):
            return rank, match.group(1).decode("utf-8", "replace").strip()
    return None


def trouble(text: bytes) -> GuestError | None:
    """The gravest thing that a kernel said of itself in `text`, or None."""
    found = _gravest(text)
    return _error(found, text) if found else None


def _error(found: tuple[int, str], text: bytes) -> GuestError:
    rank, said = found
    kind = _TROUBLE[rank][2]
    who = "init" if kind is GuestLost else "kernel"
    return kind(f"the guest's {who} reports: {said}", console=tail(text))


def tail(text: bytes, size: int = 4096) -> str:
    """The last `size` bytes as text."""
    return text[-size:].decode("utf-8", "replace")


class Console:
    """The console's log file, read from a mark on: each cell has its own stretch of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mark = 0
        self._searched = 0
        self._worst: tuple[int, str] | None = None

    def mark(self) -> None:
        """What comes from now on belongs to the next cell."""
        self._mark = self._searched = self.path.stat().st_size if self.path.exists() else 0
        self._worst = None

    def read(self) -> bytes:
        """All that was said since the mark."""
        return self._from(self._mark)

    def trouble(self) -> GuestError | None:
        """The gravest thing that the kernel said of itself since the mark; only what is new is searched."""
        text = self._from(self._searched)
        whole = text.rfind(b"\n") + 1
        self._searched += whole
        found = _gravest(text[:whole])
        if found and (self._worst is None or found[0] < self._worst[0]):
            self._worst = found
        return _error(self._worst, self.read()) if self._worst else None

    def _from(self, start: int) -> bytes:
        if not self.path.exists():
            return b""
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read()
