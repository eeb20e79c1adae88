"""testinfra's backend without a guest: how long a command may take."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.config import Timeouts
from harness.deadline import Deadline
from harness.guests.backend import GuestBackend, command_of, guest_host
from harness.migration.site import Site
from harness.scenario import Workload


class Guest:
    """In place of a guest: remembers how long each command was given, and ends with the codes it is told."""

    def __init__(self, *codes: int) -> None:
        self.spec = SimpleNamespace(name="fake")
        self.codes = list(codes)
        self.given: list[float] = []
        self.lines: list[str] = []

    def run(self, *argv: str, deadline: Deadline) -> SimpleNamespace:
        self.given.append(deadline.seconds)
        self.lines.append(argv[-1])
        return SimpleNamespace(
            returncode=self.codes.pop(0) if self.codes else 0, seconds=0.1, stdout=b"", stderr=b""
        )


@pytest.mark.parametrize(
    ("line", "direct"),
    [
        ("/usr/lib/kmatrix/hand ask 20001 /work/report.json 30 report", True),
        ("/usr/lib/kmatrix/hand ask 20001 /work/report.json 30 'two words'", False),
        ("/usr/lib/kmatrix/hand await 1 /work/ready 5 && cat ready", False),
        ("/usr/lib/kmatrix/hand ask 1 /work/$HOME 30 x", False),
        ("/usr/lib/kmatrix/hand ask 1  /work/x 30 x", False),
        ("/usr/lib/kmatrix/hand ask 1 /work/x 30 x\n", False),
        ("/usr/lib/kmatrix/../../bin/cat x", False),
        ("/bin/cat /work/x", False),
        ("cd /work && exec /usr/lib/kmatrix/hand", False),
    ],
)
def test_only_the_labs_own_programs_do_without_a_shell(line: str, direct: bool) -> None:
    argv = command_of(line)
    assert argv == (tuple(line.split()) if direct else ("/bin/sh", "-c", line))


def test_a_command_has_its_own_time_and_a_check_the_time_of_all_checks() -> None:
    guest: Any = Guest()
    site = Site(guest, Timeouts(command=7, check=300))
    site.host.run("true")
    with site.checking():
        site.host.run("true")
        site.host.run("true")
    site.host.run("true")
    assert guest.given == [7, 300, 300, 7]


def test_a_check_that_failed_leaves_no_deadline_behind() -> None:
    guest: Any = Guest()
    site = Site(guest, Timeouts(command=7, check=300))
    with pytest.raises(AssertionError), site.checking():
        raise AssertionError
    assert site.backend.phase is None


def test_a_workload_is_waited_for_in_stretches_that_a_busy_guest_can_make_longer() -> None:
    """A nap in the guest may take several times as long as it should, and the command has its deadline."""
    guest: Any = Guest(4, 4, 0)
    workload = Workload(guest_host(GuestBackend(guest, command_seconds=30)), 20001)
    workload.await_ready(seconds=12)
    assert [line.split()[-1] for line in guest.lines] == ["5", "5", "2"]
    assert all(
        int(line.split()[-1]) * 5 < given for line, given in zip(guest.lines, guest.given, strict=True)
    )


def test_waiting_ends_when_the_seconds_are_over() -> None:
    guest: Any = Guest(4, 4, 4)
    workload = Workload(guest_host(GuestBackend(guest, command_seconds=30)), 20001)
    with pytest.raises(AssertionError, match="was not ready within 12 s"):
        workload.await_ready(seconds=12)
