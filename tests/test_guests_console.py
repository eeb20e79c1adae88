"""What a console says, from real ones: captured in this lab, or quoted from the kernel's sources and mailing lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import GuestError, GuestHang, GuestLost, KernelOops, KernelPanic
from harness.guests.console import Console, tail, trouble

PANIC_6_12 = b"""\
KMATRIX-READY\r
[   14.120001] sysrq: Trigger a crash\r
[   14.120453] Kernel panic - not syncing: sysrq triggered crash\r
[   14.121022] CPU: 0 UID: 0 PID: 188 Comm: sh Not tainted 6.12.117+deb13-cloud-amd64 #1  Debian 6.12.117-1\r
[   14.130731] ---[ end Kernel panic - not syncing: sysrq triggered crash ]---\r
"""
OOPS_3_11 = b"""\
[   21.100000] BUG: unable to handle kernel NULL pointer dereference at           (null)\r
[   21.100100] IP: [<ffffffff8138b6e0>] sysrq_handle_crash+0x10/0x20\r
[   21.100200] Oops: 0002 [#1] SMP \r
"""
OOPS_THEN_PANIC = OOPS_3_11 + b"[   21.200000] Kernel panic - not syncing: Fatal exception in interrupt\r\n"


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        (PANIC_6_12, KernelPanic, "Kernel panic - not syncing: sysrq triggered crash"),
        (OOPS_3_11, KernelOops, "BUG: unable to handle kernel NULL pointer dereference at           (null)"),
        (OOPS_THEN_PANIC, KernelPanic, "Kernel panic - not syncing: Fatal exception in interrupt"),
        (b"Kernel panic - not syncing: VFS: Unable to mount root fs\n", KernelPanic, "VFS: Unable to mount"),
        (b"[    1.2][    T1] Kernel panic - not syncing: No init\n", KernelPanic, "No init"),
        (b"[   28.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [sh:9]\n", GuestHang, "soft lockup"),
        (b"[   28.0] BUG: soft lockup - CPU#0 stuck for 22s! [sh:9]\n", GuestHang, "soft lockup"),
        (b"[   28.0] NMI watchdog: BUG: soft lockup - CPU#0 stuck\n", GuestHang, "soft lockup"),
        (b"[   28.0] watchdog: Watchdog detected hard LOCKUP on cpu 0\n", GuestHang, "hard LOCKUP"),
        (b"[   60.0] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\n", GuestHang, "rcu_preempt"),
        (b"[   60.0] INFO: rcu_sched self-detected stall on CPU { 0}  (t=5250)\n", GuestHang, "self-detected"),
        (b"[   60.0][    C0] rcu: INFO: rcu_sched self-detected stall on CPU\n", GuestHang, "rcu_sched"),
        (b"[    9.9] BUG: kernel NULL pointer dereference, address: 00000000\n", KernelOops, "NULL pointer"),
        (b"[    9.9] BUG: Bad page state in process cpu  pfn:1f2a3\n", KernelOops, "Bad page state"),
        (b"[    9.9] ---[ cut here ]---\r\n[    9.9] kernel BUG at mm/slub.c:379!\r\n", KernelOops, "slub"),
        (
            b"[    9.9] Oops: general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP\n",
            KernelOops,
            "non-canonical",
        ),
        (b"[    9.9] general protection fault: 0000 [#1] SMP NOPTI\n", KernelOops, "general protection"),
        (b"[    9.9] Oops: Oops: 0002 [#1] SMP\n", KernelOops, "Oops: Oops"),
        (b"[    9.9] invalid opcode: 0000 [#1] SMP PTI\n", KernelOops, "invalid opcode"),
        (b"[    9.9] PANIC: double fault, error_code: 0x0\n", KernelOops, "double fault"),
        (b"kmatrix: the agent ended with status 137\r\n", GuestLost, "init reports"),
    ],
)  # fmt: skip
def test_each_trouble_is_called_by_its_name(text: bytes, error: type[GuestError], said: str) -> None:
    found = trouble(text)
    assert type(found) is error
    assert said in str(found)
    assert found.console == tail(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"KMATRIX-READY\r\n",
        b"[    0.000000] Linux version 6.12.117+deb13-cloud-amd64\r\nkmatrix: Linux 6.12.117, up 6.98 s\r\n",
        # Fakes: words of a workload that do not begin a message of the kernel's.
        b"he said: Kernel panic - not syncing: boo\n",
        b'[    5.1] audit: comm="BUG: " Kernel panic - not syncing\n',
        b"[    5.1] traps: Oops[4711] trap invalid opcode ip:400123 sp:7ffc error:0 in cpu[400000+1000]\n",
        # Fakes: the name that a workload gave itself begins the line.
        b"[    5.1] BUG: me[4711]: segfault at 0 ip 000000000040 sp 00007ffc error 4 in cpu[400000+1000]\n",
        b"[    5.1] x: 0000 [#1][4711]: segfault at 0 ip 000000000040 sp 00007ffc error 4\n",
        b"[    5.1] BUG: me invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n",
        b"[    5.1] BUG: me: page allocation failure: order:9, mode:0xcc0(GFP_KERNEL)\n",
        b"[    5.1] BUG: me (4711): drop_caches: 1\n",
        # Not the guest's end.
        b"[  121.0] INFO: task kworker/0:1:12 blocked for more than 120 seconds.\n",
        b"[    5.1] WARNING: CPU: 0 PID: 1 at kernel/fork.c:1 copy_process+0x1/0x2\n",
    ],
)
def test_nothing_is_made_of_what_is_no_trouble(text: bytes) -> None:
    assert trouble(text) is None


@pytest.fixture
def console(tmp_path: Path) -> Console:
    return Console(tmp_path / "console.log")


def say(console: Console, text: bytes) -> None:
    with console.path.open("ab") as file:
        file.write(text)


def test_a_console_that_has_not_begun_is_silent(console: Console) -> None:
    console.mark()
    assert console.read() == b""
    assert console.trouble() is None


def test_each_cell_has_its_own_stretch(console: Console) -> None:
    say(console, PANIC_6_12)
    assert isinstance(console.trouble(), KernelPanic)
    console.mark()
    assert console.read() == b""
    assert console.trouble() is None
    say(console, b"next\n")
    assert console.read() == b"next\n"


def test_trouble_is_found_however_the_line_arrives_and_is_not_forgotten(console: Console) -> None:
    for byte in OOPS_3_11.partition(b"\n")[0]:
        say(console, bytes([byte]))
        assert console.trouble() is None
    say(console, b"\n")
    assert isinstance(console.trouble(), KernelOops)
    say(console, b"[   22.0] all is well\n")
    assert isinstance(console.trouble(), KernelOops)


def test_the_graver_comes_first_and_then_the_earlier(console: Console) -> None:
    say(console, b"[    1.0] BUG: first\n")
    say(console, b"[    2.0] BUG: a second\n")
    assert "first" in str(console.trouble())
    say(console, b"[    3.0] Kernel panic - not syncing: third\n")
    found = console.trouble()
    assert isinstance(found, KernelPanic)
    assert "first" in found.console


def test_only_new_text_is_searched(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    say(console, b"x" * 100_000 + b"\nbegun")
    assert console.trouble() is None
    sizes = []
    monkeypatch.setattr("harness.guests.console._gravest", lambda text: sizes.append(len(text)))
    console.trouble()
    say(console, b" done\n")
    console.trouble()
    assert sizes == [0, len("begun done\n")]


def test_bytes_that_are_no_text_do_no_harm() -> None:
    found = trouble(b"\xff\xfe\x00\n[    1.0] BUG: \x1b[31m\xff\n")
    assert isinstance(found, KernelOops)
    assert "\ufffd" in found.console
