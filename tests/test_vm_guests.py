"""Real guests: boot, reset, deadlines, data in and out, and every way in which a guest can be lost."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from stage import HARDWARE, Stage, shell

from harness.cache import Cache
from harness.deadline import Deadline
from harness.errors import DeadlineExceeded, GuestCommandFailed, GuestHang, GuestLost, KernelPanic, QemuDied
from harness.guests import accelerator
from harness.guests.agent import MAX_PAYLOAD, Request, exec_payload
from harness.guests.backend import GuestBackend, guest_host
from harness.guests.guest import Boot, Guest
from harness.guests.hypervisor import Hypervisor, sweep

pytestmark = pytest.mark.vm

INPUT_DISK = 'for d in /sys/block/vd*; do [ "$(cat $d/serial)" = input ] && echo /dev/${d##*/}; done'
SPIN_AS_REAL_TIME = (
    "echo -1 >/proc/sys/kernel/sched_rt_runtime_us;"
    # since 6.8 a server of its own gives ordinary tasks their share
    "mount -t debugfs none /sys/kernel/debug;"
    "[ -d /sys/kernel/debug/sched/fair_server ] && echo 0 >/sys/kernel/debug/sched/fair_server/cpu0/runtime;"
    "exec chrt -f 99 sh -c 'while :; do :; done'"
)


@contextmanager
def seconds_under(limit: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < limit


def test_a_command_gives_back_all_that_it_did(guest: Guest) -> None:
    done = guest.run("sh", "-c", "cat; echo oh >&2; exit 7", deadline=Deadline.after(60), stdin=b"in\0\xff")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"in\0\xff", b"oh\n")
    assert shell(guest, "kill -TERM $$").returncode == 128 + 15
    assert guest.run("/no/such/thing", deadline=Deadline.after(60)).returncode == 127


def test_a_reset_leaves_nothing_behind_and_turns_back_the_uptime(guest: Guest) -> None:
    guest.reset()
    before = float(shell(guest, "cat /proc/uptime").text.split()[0])
    shell(guest, "echo old >/work/old; echo old >/tmp/old; sync; hostname old; sleep 1000 >/dev/null 2>&1 &")
    assert shell(guest, "cat /work/old /tmp/old; pgrep -c sleep").text == "old\nold\n1\n"
    time.sleep(2)
    guest.reset()
    after = float(shell(guest, "cat /proc/uptime").text.split()[0])
    assert abs(after - before) < 1.0
    assert shell(guest, "ls /work/old /tmp/old 2>/dev/null; pgrep -c sleep; hostname").text == "0\nkmatrix\n"
    assert guest.console.read() == b""


def test_a_reset_sets_the_clock_and_the_random_numbers(guest: Guest) -> None:
    numbers = set()
    for _ in range(2):
        guest.reset()
        earliest = time.time()
        now, number = shell(guest, "date +%s.%N; od -An -N16 -tx1 /dev/urandom").text.split("\n")[:2]
        assert earliest - 1.0 < float(now) < time.time() + 1.0
        numbers.add(number)
    assert len(numbers) == 2


def test_the_kernel_knows_of_no_cmpxchg16b(guest: Guest) -> None:
    flags = shell(guest, "grep -m1 ^flags /proc/cpuinfo").text.split()
    assert "avx2" in flags
    assert "cx16" not in flags


def test_a_guest_that_was_parked_for_long_is_not_alarmed(guest: Guest) -> None:
    guest.park()
    time.sleep(3)
    guest.unpark()
    assert abs(float(shell(guest, "date +%s.%N").text) - time.time()) < 2.0
    guest.watch()


@pytest.mark.parametrize("line", ["sleep 1000", "while :; do :; done", "yes", "kill -STOP $$"])
def test_a_command_past_its_deadline_is_killed_and_the_agent_goes_on(guest: Guest, line: str) -> None:
    with seconds_under(20), pytest.raises(DeadlineExceeded, match="not done within 1 s"):
        shell(guest, f": mark-of-this-test; {line}", seconds=1)
    assert shell(guest, "pgrep -fc 'mark-of-this-[t]est'; pgrep -c yes").text == "0\n0\n"


def test_a_deadline_that_has_passed_already_kills_all_the_same(guest: Guest) -> None:
    with seconds_under(10), pytest.raises(DeadlineExceeded):
        shell(guest, "sleep 1000", seconds=0)
    assert shell(guest, "echo here").text == "here\n"


def test_a_command_that_prints_without_end_is_stopped(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.guests.agent.MAX_OUTPUT", 1 << 20)
    with pytest.raises(GuestCommandFailed, match="printed more than"):
        shell(guest, "yes")
    assert shell(guest, "echo here").text == "here\n"


def test_a_daemon_that_goes_on_writing_keeps_nobody_waiting(guest: Guest) -> None:
    with seconds_under(20):
        done = shell(guest, "yes & echo $!; exit 3")
    assert done.returncode == 3
    assert shell(guest, "echo here").text == "here\n"


def test_half_an_answer_from_before_a_reset_does_not_swallow_the_next(guest: Guest) -> None:
    assert guest._agent is not None
    for _ in range(3):
        guest._agent._send(Request.EXEC, exec_payload(("yes",)))
        time.sleep(0.3)
        guest.reset()
        assert shell(guest, "echo here").text == "here\n"
        assert shell(guest, "pgrep -c yes").text == "0\n"


def test_a_file_as_large_as_the_agent_takes(guest: Guest) -> None:
    data = os.urandom(MAX_PAYLOAD - 64)
    guest.write("/tmp/large", data, Deadline.after(60))
    assert shell(guest, "sha256sum </tmp/large").text.split()[0] == hashlib.sha256(data).hexdigest()
    with pytest.raises(GuestCommandFailed, match="/no/such/directory/file: No such file"):
        guest.write("/no/such/directory/file", b"", Deadline.after(60))


def test_20_mib_leave_by_the_out_port_whole(guest: Guest) -> None:
    said = shell(
        guest,
        "head -c 20M /dev/urandom >/tmp/data; sha256sum </tmp/data; cat /tmp/data >/dev/virtio-ports/kmatrix.out",
    )
    assert guest.out.stat().st_size == 20 << 20
    assert hashlib.sha256(guest.out.read_bytes()).hexdigest() == said.text.split()[0]
    guest.empty_out()
    shell(guest, "echo next >/dev/virtio-ports/kmatrix.out")
    assert guest.out.read_bytes() == b"next\n"


def test_the_input_disk_is_read_afresh_after_a_reset(guest: Guest, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for content in (b"first " * 100_000, b"second" * 100_000):
        data.write_bytes(content)
        guest.reset()
        guest.insert(data)
        said = shell(guest, f"head -c {len(content)} $({INPUT_DISK}) | sha256sum").text
        assert said.split()[0] == hashlib.sha256(content).hexdigest()


def test_testinfra_speaks_to_the_guest(guest: Guest) -> None:
    host = guest_host(GuestBackend(guest, command_seconds=60))
    assert host.file("/etc/debian_version").content_string.startswith("13")
    assert host.file("/work").is_directory
    assert host.process.get(pid=1).user == "root"
    assert host.package("criu").is_installed
    assert host.check_output("echo %s", "it's") == "it's"
    slow = guest_host(GuestBackend(guest, command_seconds=1))
    with pytest.raises(DeadlineExceeded):
        slow.run("sleep 1000")


def test_a_panic(guest: Guest) -> None:
    with seconds_under(20), pytest.raises(KernelPanic, match="sysrq triggered crash") as caught:
        shell(guest, "echo c >/proc/sysrq-trigger")
    assert "end Kernel panic" in caught.value.console or "sysrq: Trigger a crash" in caught.value.console


def test_a_hang(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.guests.agent._ANSWER_SECONDS", 4.0)
    with pytest.raises(GuestLost, match="cannot end a command"):
        shell(guest, SPIN_AS_REAL_TIME, seconds=2)
    with pytest.raises(GuestHang, match="never rests"):
        guest.diagnose()


def test_an_agent_that_ended(guest: Guest) -> None:
    with seconds_under(20), pytest.raises(GuestLost, match="the agent ended with status 137"):
        shell(guest, "kill -KILL $(pidof agent); sleep 1000")
    with pytest.raises(GuestLost, match="the agent ended"):
        guest.diagnose()


def test_an_agent_that_is_silent_in_an_idle_kernel(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.guests.agent._ANSWER_SECONDS", 4.0)
    with pytest.raises(GuestLost, match="cannot end a command"):
        shell(guest, "kill -STOP $(pidof agent); sleep 1000", seconds=2)
    with pytest.raises(GuestLost, match="kernel is idle"):
        guest.diagnose()


def test_a_lost_guest_comes_back_by_a_reset(stage: Stage) -> None:
    assert shell(stage.fresh(), "echo here").text == "here\n"


def test_the_accelerator_is_chosen_by_booting_and_remembered(
    hypervisor: Hypervisor, trixie_boot: Boot, lab_cache: Cache
) -> None:
    first = accelerator.choose("auto", hypervisor, trixie_boot, HARDWARE, lab_cache)
    assert first.accelerator in ("kvm", "tcg")
    assert first.reason
    with seconds_under(5):
        assert accelerator.choose("auto", hypervisor, trixie_boot, HARDWARE, lab_cache) == first
    assert not (hypervisor.directory / "kvm-probe").exists()


def test_a_killed_harness_is_swept_and_its_neighbour_untouched(guest: Guest, trixie_boot: Boot) -> None:
    files = [trixie_boot.image, trixie_boot.initrd, trixie_boot.modules_disk, trixie_boot.root_disk]
    holder = subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "hold_guest.py"), *map(str, files)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        root, directory, pid = holder.stdout.readline().split()
        qemu = psutil.Process(int(pid))
        assert shell(guest, "echo here").text == "here\n"
        sweep()
        assert qemu.is_running()
        holder.kill()
    assert qemu.is_running()
    assert Path(directory).is_dir()
    sweep()
    assert not qemu.is_running() or qemu.status() == psutil.STATUS_ZOMBIE
    assert not Path(root).exists()
    assert not Path(directory).exists()
    assert shell(guest, "echo here").text == "here\n"


def test_a_qemu_killed_while_its_guest_boots(stage: Stage) -> None:
    guest = stage.new()
    try:
        guest._make_disks()
        killer = subprocess.Popen(
            [sys.executable, "-c", KILL_WHEN_THERE, str(stage.hypervisor.root), guest.spec.name]
        )
        with killer, pytest.raises(QemuDied, match="ended on its own"):
            guest.boot(Deadline.after(120))
        assert killer.returncode == 0
    finally:
        guest.close()


KILL_WHEN_THERE = """
import os, pathlib, signal, sys, time
while not (files := [f for f in pathlib.Path(sys.argv[1]).glob(f"run/**/{sys.argv[2]}.pid") if f.read_text()]):
    time.sleep(0.05)
time.sleep(1.5)
os.kill(int(files[0].read_text()), signal.SIGKILL)
"""


def test_a_qemu_killed_under_a_running_command(guest: Guest) -> None:
    """Last, because the guest is gone for good."""
    assert guest.qemu_pid is not None
    killer = threading.Timer(1.0, psutil.Process(guest.qemu_pid).kill)
    killer.start()
    with seconds_under(30), pytest.raises(QemuDied, match="ended on its own"):
        shell(guest, "sleep 1000")
    killer.join()
    with pytest.raises(QemuDied):
        guest.reset()
