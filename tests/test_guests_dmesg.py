"""What a kernel says of itself in its ring buffer, between the lab's marks."""

from __future__ import annotations

import pytest

from harness.guests.dmesg import complaint

BEGINS = "[   12.000001] kmatrix: a cell begins, tainted 0"
ENDS = "[   20.000001] kmatrix: a cell ends, tainted 0"
WARNING = "[   15.123456] WARNING: CPU: 0 PID: 20001 at kernel/fork.c:2222 copy_process+0x1/0x2"


@pytest.mark.parametrize(
    "line",
    [
        WARNING,
        "[   15.1] BUG: KASAN: slab-use-after-free in sk_diag_fill+0x10/0x20",
        "[   15.1][ T1234] WARNING: possible circular locking dependency detected",
        "[   15.1] WARNING: suspicious RCU usage",
        "[   15.1] INFO: task criu:20011 blocked for more than 120 seconds.",
        "[   15.1] refcount_t: underflow; use-after-free.",
        "[   15.1] UBSAN: array-index-out-of-bounds in net/x.c:1:2",
        "[   15.1] Oops: 0002 [#1] SMP PTI",
    ],
)
def test_a_splat_is_told_with_its_words(line: str) -> None:
    found = complaint("\n".join([BEGINS, line, "[   15.2] Call Trace:", ENDS]))
    assert found is not None
    assert line.partition("] ")[2].removeprefix("WARNING: ")[:20] in str(found)


@pytest.mark.parametrize(
    "line",
    [
        "[   15.1] 20001 (WARNING: CPU): drop_caches: 1",
        "[   15.1] holder[20001]: segfault at 0 ip 0 sp 0 error 4",
        "[   15.1] nf_conntrack: default automatic helper assignment has been turned off",
        "[   15.1] tun: Universal TUN/TAP device driver, 1.6",
    ],
)
def test_what_a_healthy_kernel_says_is_no_complaint(line: str) -> None:
    assert complaint("\n".join([BEGINS, line, ENDS])) is None


def test_only_the_last_cell_counts() -> None:
    boot = "[    1.0] WARNING: CPU: 0 PID: 1 at arch/x86/x.c:1 boot+0x1/0x2"
    assert complaint("\n".join([boot, BEGINS, ENDS])) is None
    assert complaint("\n".join([BEGINS, WARNING, ENDS, BEGINS, ENDS])) is None
    assert complaint("\n".join([BEGINS, ENDS, BEGINS, WARNING])) is not None


def test_a_new_taint_is_a_complaint_and_an_old_one_is_none() -> None:
    tainted = ENDS.replace("tainted 0", f"tainted {1 << 9 | 1 << 7}")
    found = complaint("\n".join([BEGINS, tainted]))
    assert found is not None
    assert str(found) == "the guest's kernel tainted itself: an oops, a warning"
    before = BEGINS.replace("tainted 0", f"tainted {1 << 9 | 1 << 7}")
    assert complaint("\n".join([before, tainted])) is None
    # an unsigned module, which is the administrator's doing
    assert complaint("\n".join([BEGINS, ENDS.replace("tainted 0", f"tainted {1 << 13}")])) is None
