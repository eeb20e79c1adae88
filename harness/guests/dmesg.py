"""What a kernel said of itself while a cell ran: warnings do not reach the console, but they are in its ring buffer.

The lab writes a mark into the buffer before a cell and after it (`migration/guest/lab.sh`), each with the kernel's
taint; only what stands behind the last `begins` counts, so that a kernel that warned while it booted blames no cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.errors import KernelComplaint

_MARK = re.compile(r"kmatrix: a cell (?P<end>begins|ends), tainted (?P<taint>\d+)$")
_STAMP = re.compile(r"^(?:<\d+>)?(?:\[ *\d+\.\d+\] ?)?(?:\[ *[TC]\d+\] ?)?")
_SPLAT = re.compile(
    r"WARNING: (?:CPU: \d+|at |possible |inconsistent |suspicious |held lock|bad unlock|\S+/\d+ )"
    r"|BUG: (?:KASAN|KMSAN|KCSAN|KFENCE|kernel |unable to handle|scheduling while atomic|sleeping function|workqueue|"
    r"Bad (?:page|rss)|non-zero|spinlock)"
    r"|UBSAN: |refcount_t: |list_(?:add|del) corruption|INFO: task \S+ blocked for more than|"
    r"general protection fault|Oops: |kernel BUG at |Unable to handle kernel"
)
TAINTS = {
    4: "a machine check",
    5: "a bad page",
    7: "an oops",
    9: "a warning",
    14: "a soft lockup",
}
"""Bits of /proc/sys/kernel/tainted that a kernel sets on itself (Documentation/admin-guide/tainted-kernels.rst)."""


@dataclass(frozen=True)
class CellPart:
    """What stands behind the last `begins`; all of it where there is no mark."""

    lines: tuple[str, ...]
    taints: dict[str, int]
    """The kernel's taint by mark, `begins` and `ends`; a mark that is missing has none."""


def cell_part(text: str) -> CellPart:
    """The last cell's own part of what `dmesg` said, which is untrusted."""
    since: list[str] = []
    taints: dict[str, int] = {}
    for line in _messages(text):
        if mark := _MARK.match(line):
            if mark["end"] == "begins":
                since, taints = [], {}
            taints[mark["end"]] = int(mark["taint"])
        else:
            since.append(line)
    return CellPart(tuple(since), taints)


def complaint(text: str) -> KernelComplaint | None:
    """What the kernel complained of since the last cell began, or None. `text` is `dmesg`'s, untrusted."""
    part = cell_part(text)
    splat = next((line for line in part.lines if _SPLAT.match(line)), None)
    if splat is not None:
        return KernelComplaint(f"the guest's kernel complained of itself: {splat.strip()}")
    new = part.taints.get("ends", 0) & ~part.taints.get("begins", 0)
    told = [words for bit, words in TAINTS.items() if new >> bit & 1]
    return KernelComplaint(f"the guest's kernel tainted itself: {', '.join(told)}") if told else None


def _messages(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield _STAMP.sub("", line, count=1)
