"""What an exception says about a cell: CRIU and the kernel fail, the lab errs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from harness.errors import (
    BootTimeout,
    CheckpointDamaged,
    DeadlineExceeded,
    GuestCommandFailed,
    GuestError,
    GuestHang,
    GuestLost,
    HarnessError,
    HostError,
    KernelOops,
    KernelPanic,
    QemuDied,
)
from harness.matrix.cell import Cell, Isolation, Outcome, Phase
from harness.matrix.life import CriuFailed, Story, judge, live
from harness.matrix.plan import task_of
from harness.matrix.workloads import Reference
from harness.scenario import Needs, Scenario

FAIL, ERROR = Outcome.FAIL, Outcome.ERROR
LATE = (Phase.DUMP, Phase.RESTORE, Phase.CHECK)


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("kind", [KernelPanic, KernelOops, GuestHang])
def test_a_kernel_that_breaks_fails_the_cell_unless_it_never_booted(
    kind: type[GuestError], phase: Phase
) -> None:
    assert judge(kind("boom"), phase) == (ERROR if phase is Phase.BOOT else FAIL, "boom")


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize(
    "kind", [QemuDied, GuestLost, BootTimeout, HostError, CheckpointDamaged, GuestCommandFailed, HarnessError]
)
def test_the_labs_own_trouble_is_never_a_finding(kind: type[HarnessError], phase: Phase) -> None:
    assert judge(kind("boom"), phase) == (ERROR, "boom")


@pytest.mark.parametrize("phase", list(Phase))
def test_a_missed_deadline_is_a_finding_only_where_criu_was_at_work(phase: Phase) -> None:
    assert judge(DeadlineExceeded("slow"), phase) == (FAIL if phase in LATE else ERROR, "slow")


@pytest.mark.parametrize("phase", list(Phase))
def test_an_assertion_is_a_finding_only_in_a_check(phase: Phase) -> None:
    expected = FAIL if phase in (Phase.CHECK, Phase.BASELINE) else ERROR
    failure = AssertionError("counter 3 came after 5\nassert 3 > 5")
    outcome, error = judge(failure, phase)
    assert outcome is expected
    assert error.startswith("counter 3 came after 5")


@pytest.mark.parametrize(
    "line",
    [
        "Error (criu/cr-restore.c:1480): Can't fork for 20001: File exists",
        "Error (criu/cr-restore.c:1555): Pid 20001 do not match expected 20007",
        "Error (criu/clone-noasan.c:60): clone3() failed: EEXIST",
    ],
)
def test_a_pid_that_is_taken_is_the_labs_doing(line: str) -> None:
    assert judge(CriuFailed(line), Phase.RESTORE)[0] is ERROR


def test_what_criu_says_is_a_finding() -> None:
    line = "Error (criu/sockets.c:628): sockets: Can't set 1:72 (len 4): Protocol not available"
    assert judge(CriuFailed(line), Phase.RESTORE) == (FAIL, line)


@pytest.mark.parametrize("failure", [ValueError("bad"), KeyError("pid"), ZeroDivisionError()])
def test_foreign_code_may_raise_what_it_likes(failure: Exception) -> None:
    outcome, error = judge(failure, Phase.CHECK)
    assert outcome is ERROR
    assert error.startswith(f"{type(failure).__name__}: ")


def test_a_guests_text_is_made_harmless() -> None:
    _, error = judge(CriuFailed("\x1b[31mred\x00 \u202e"), Phase.DUMP)
    assert error.isprintable()
    assert judge(AssertionError(""), Phase.CHECK)[1] == "AssertionError"
    assert judge(AssertionError("lost\nassert 1 == 2"), Phase.CHECK)[1] == "lost"


# A whole life, at a site that does nothing.


class Site:
    """In place of a guest: CRIU's log says what the test wants."""

    def __init__(self, log: str = "(00.1) Restore finished successfully.", code: int = 0) -> None:
        self.log, self.code = log, code
        self.criu = SimpleNamespace(version="4.1.1", missing=lambda _options: [])
        self.host = self
        self.backend = SimpleNamespace(seconds=0.0)
        self.guest = SimpleNamespace(
            watch=self.watch, diagnose=self.diagnose, console=SimpleNamespace(read=lambda: b"console \x1b")
        )
        self.trouble: GuestError | None = None
        self.graver: GuestError | None = None
        self.is_checking = False

    @contextlib.contextmanager
    def checking(self) -> Iterator[None]:
        self.is_checking = True
        yield
        self.is_checking = False

    def watch(self) -> None:
        if self.trouble:
            raise self.trouble

    def diagnose(self) -> None:
        if self.graver:
            raise self.graver

    def insert(self, _checkpoint: object) -> None:
        pass

    def tune(self, _sysctls: object) -> None:
        pass

    def has_feature(self, name: str) -> bool:
        return name == "timens"

    def restore(self, _checkpoint: object, _options: object, _around: object) -> SimpleNamespace:
        return SimpleNamespace(argv=("criu", "restore"), returncode=self.code, seconds=0.5, uptime="1.0")

    def logs(self, directory: Path) -> dict[str, Path]:
        for name, text in (("restore", self.log), ("dmesg", "")):
            (directory / f"{name}.log").write_text(text)
        return {name: directory / f"{name}.log" for name in ("restore", "dmesg")}


def lived(tmp_path: Path, site: Site, needs: Needs, check: Any = lambda *_: None) -> Story:  # noqa: ANN401
    module = ModuleType("scenario")
    module.SCENARIO = Scenario(command=("bin/cpu",), needs=needs)  # type: ignore[attr-defined]
    module.check = check  # type: ignore[attr-defined]
    reference = Reference("cpu", tmp_path / "cpu.py", module)
    lab: Any = SimpleNamespace(scenarios={"cpu": reference}, features={})
    checkpoint: Any = SimpleNamespace(
        manifest=SimpleNamespace(image_bytes=4096, dump_seconds=0.4, pid=20001, facts={})
    )
    story = Story(task_of(Cell("trixie", "cold", "cpu", "a", "b")), 1, Isolation.RESET, tmp_path)
    fake: Any = site
    live(lab, fake, story, checkpoint)
    return story


def restored(tmp_path: Path, site: Site, check: Any = lambda *_: None) -> Story:  # noqa: ANN401
    return lived(tmp_path, site, Needs(), check)


def test_a_restore_tells_of_the_dump_that_it_restores(tmp_path: Path) -> None:
    story = restored(tmp_path, Site())
    assert (story.image_bytes, story.dump_seconds) == (4096, 0.4)


def test_what_criu_cannot_do_under_the_destination_is_a_skip(tmp_path: Path) -> None:
    story = lived(tmp_path, Site(), Needs(features=("uffd", "timens", "vsock")))
    assert story.outcome is Outcome.SKIP
    assert story.error == "cpu needs uffd, vsock of criu check --feature on b"
    assert "restore" not in story.commands


def test_a_restore_that_passes(tmp_path: Path) -> None:
    story = restored(tmp_path, Site())
    assert (story.outcome, story.phase, story.error) == (Outcome.PASS, Phase.CHECK, None)
    assert set(story.seconds) >= {"transfer", "restore", "check", "guest"}
    assert {"restore", "dmesg", "console", "commands"} <= set(story.logs)
    assert (tmp_path / "console.log").read_bytes() == b"console \x1b"
    assert "criu" in (tmp_path / "commands.log").read_text()


BROKEN_LOG = """\
(00.1) Error (criu/sockets.c:628): sockets: Can't set 1:72
(00.2) Error (criu/cr-restore.c:2): Restoring FAILED.
"""


@pytest.mark.parametrize("code", [0, 1])
def test_the_exit_code_of_criu_is_not_believed_its_log_is(tmp_path: Path, code: int) -> None:
    story = restored(tmp_path, Site(BROKEN_LOG, code))
    assert (story.outcome, story.phase) == (FAIL, Phase.RESTORE)
    assert story.error == "Error (criu/sockets.c:628): sockets: Can't set 1:72"


def test_a_check_that_fails_after_a_restore_that_did_not_finish_blames_the_restore(tmp_path: Path) -> None:
    def check(*_: object) -> None:
        raise AssertionError("process 20001 is gone")

    story = restored(tmp_path, Site(BROKEN_LOG), check)
    assert (story.outcome, story.phase) == (FAIL, Phase.RESTORE)
    assert story.error == "Error (criu/sockets.c:628): sockets: Can't set 1:72"


def test_a_check_has_the_time_that_checks_may_take(tmp_path: Path) -> None:
    site, seen = Site(), []
    story = restored(tmp_path, site, lambda *_: seen.append(site.is_checking))
    assert (story.outcome, seen, site.is_checking) == (Outcome.PASS, [True], False)


def test_a_check_that_fails_after_a_whole_restore_blames_the_check(tmp_path: Path) -> None:
    def check(*_: object) -> None:
        raise AssertionError("process 20001 is gone")

    story = restored(tmp_path, Site(), check)
    assert (story.outcome, story.phase, story.error) == (FAIL, Phase.CHECK, "process 20001 is gone")
    assert "process 20001 is gone" in (tmp_path / "traceback.log").read_text()


def test_a_criu_that_says_nothing(tmp_path: Path) -> None:
    assert restored(tmp_path, Site("", 1)).error == "criu restore ended with 1 and gave no reason"


def test_a_kernel_that_complained_meanwhile_fails_a_cell_that_passed(tmp_path: Path) -> None:
    site = Site()
    site.trouble = KernelOops("the guest's kernel reports: BUG: x")
    story = restored(tmp_path, site)
    assert (story.outcome, story.error) == (FAIL, "the guest's kernel reports: BUG: x")


@pytest.mark.parametrize(
    ("graver", "outcome"), [(GuestHang("never rests"), FAIL), (GuestLost("idle"), ERROR), (None, ERROR)]
)
def test_a_silent_agent_is_looked_into(tmp_path: Path, graver: GuestError | None, outcome: Outcome) -> None:
    def check(*_: object) -> None:
        raise GuestLost("no answer")

    site = Site()
    site.graver = graver
    story = restored(tmp_path, site, check)
    assert story.outcome is outcome
    assert story.error == str(graver or "no answer")


def test_a_missed_deadline_of_a_panicked_kernel_is_a_panic(tmp_path: Path) -> None:
    site = Site()

    def check(*_: object) -> None:
        site.trouble = KernelPanic("panic")
        raise DeadlineExceeded("slow")

    story = restored(tmp_path, site, check)
    assert (story.outcome, story.error) == (FAIL, "panic")


def test_an_interrupt_is_not_taken_for_a_result(tmp_path: Path) -> None:
    def check(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restored(tmp_path, Site(), check)
