"""What must be so after the restore of one of CRIU's own tests, and what fools nobody."""

from __future__ import annotations

import copy
import dataclasses
import json
from types import SimpleNamespace
from typing import Any

import pytest
from zdtm_cases import MAPS, MOUNTS, case, look

from harness.errors import CannotRun
from harness.scenario import Workload
from harness.suites.zdtm.case import Case
from harness.suites.zdtm.state import assert_marked, assert_same, processes


def test_the_same_processes_are_the_same_whatever_the_outermost_pid() -> None:
    before, after = look("20003 1"), look("20077 1")
    assert_same(processes(before, own_namespaces=True), processes(after, own_namespaces=True))
    with pytest.raises(AssertionError, match="other processes"):
        assert_same(processes(before, own_namespaces=False), processes(after, own_namespaces=False))


def test_neighbours_of_one_kind_may_be_merged() -> None:
    after = look(maps=["555000-557000 r-xp 0 fe:00 1 /x", *MAPS[2:]], map_files={"555000-557000": 0o120500})
    assert_same(processes(look(), own_namespaces=True), processes(after, own_namespaces=True))


def test_another_kernels_vdso_is_no_harm() -> None:
    moved = [*MAPS[:3], "7ff000-7ff400 r--p 0 00:00 0", "7ff400-7ff600 r-xp 0 00:00 0"]
    moved += ["900000-902000 r--p 0 00:00 0 [vvar]", "902000-904000 r-xp 0 00:00 0 [vdso]"]
    assert_same(processes(look(), own_namespaces=True), processes(look(maps=moved), own_namespaces=True))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nonce": "another"}, "its nonce in memory is not the old one"),
        ({"nonce": ""}, "its nonce in memory is not the old one"),
        ({"zombie": True}, "its nonce in memory is not the old one"),
        ({"fds": ["0", "1", "2"]}, "descriptors lost 5, new none"),
        ({"fds": ["0", "1", "2", "5", "9"]}, "descriptors lost none, new 9"),
        ({"maps": MAPS[:2]}, "mappings lost 700000-701000 rw-p, new none"),
        ({"maps": [*MAPS, "a00000-a01000 rwxp 0 00:00 0"]}, "mappings lost none, new a00000-a01000 rwxp"),
        ({"map_files": {"555000-556000": 0o120700}}, "r-xp 120500, new 555000-557000 r-xp 120700"),
        ({"mounts": []}, "mounts lost /work/test / rw,relatime shared - ext4, new none"),
        ({"mounts": [MOUNTS[0].replace("shared:1 ", "")]}, "new /work/test / rw,relatime - - ext4"),
        ({"ids": "20003 2"}, "other processes: lost 1, new 2"),
    ],
)
def test_what_is_not_the_same_is_named(change: dict[str, Any], words: str) -> None:
    before, after = look(), look(**change)
    with pytest.raises(AssertionError, match=words):
        assert_same(processes(before, own_namespaces=True), processes(after, own_namespaces=True))


def test_a_test_that_cannot_be_known_again_is_not_begun_with() -> None:
    assert_marked(processes(look(), own_namespaces=False))
    for facts in (look(nonce=""), look(zombie=True), {"gone": True, "processes": []}):
        with pytest.raises(AssertionError):
            assert_marked(processes(facts, own_namespaces=False))


class Host:
    """Answers the commands of a case."""

    def __init__(
        self, *, said: dict[str, object], hook: int = 0, restored: bool = False, ready: str = "ok"
    ) -> None:
        self.said = said
        self.hook = hook
        self.restored = restored
        self.ready = ready
        self.facts = look()
        self.late = 0
        self.commands: list[str] = []

    def run(self, command: str) -> SimpleNamespace:
        self.commands.append(command)
        if " look " in command:
            return SimpleNamespace(rc=0, stdout=json.dumps(self.facts), stderr="")
        if " stop " in command or " wait " in command:
            return SimpleNamespace(rc=0, stdout=json.dumps(self.said), stderr="")
        if "zdtm.sh hook" in command:
            return SimpleNamespace(rc=self.hook, stdout="no device", stderr="")
        if command.startswith("test -e"):
            return SimpleNamespace(rc=0 if self.restored else 1, stdout="", stderr="")
        late = self.late > 0 and " await " in command
        self.late -= late
        return SimpleNamespace(rc=4 if late else 0, stdout="" if late else self.ready, stderr="")


GOOD = {"early": False, "signalled": True, "gone": True, "out": "12:00: 5: PASS\n", "unfinished": ""}


def checked(host: Host, subject: Case) -> None:
    before = copy.deepcopy(look()) | {"pid": 20003}
    subject.check(host, Workload(host, 20003), before)


def test_a_test_that_passes() -> None:
    host = Host(said=GOOD)
    checked(host, case(hook="exit"))
    order = [c.rpartition(" hook ")[2] if " hook " in c else c.split()[2] for c in host.commands]
    assert order == ["look", "--post-restore", "stop", "--clean"]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"early": True}, "had ended before it was told to"),
        ({"signalled": False}, "no process to be told to end"),
        ({"gone": False}, "did not end within 90 s"),
        ({"out": ""}, "the test says: nothing"),
        ({"out": "", "unfinished": "FAIL: pipe00.c:99: data corrupted\n"}, "data corrupted"),
        ({"out": "12:00: 5: PASS\n12:01: 5: FAIL: late\n"}, "FAIL: late"),
        ({"out": "12:00: 5: BYPASSED\n"}, "BYPASSED"),
    ],
)
def test_a_test_that_does_not_pass(said: dict[str, object], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        checked(Host(said=GOOD | said), case())


def test_a_hook_may_say_no() -> None:
    with pytest.raises(AssertionError, match="its hook --post-restore ended with 1: no device"):
        checked(Host(said=GOOD, hook=1), case(hook="exit"))


def test_a_process_that_is_gone_or_another_one_is_noticed_before_the_test_may_say_pass() -> None:
    for facts, words in ((look() | {"gone": True}, "is gone"), (look(nonce="x"), "another one")):
        host = Host(said=GOOD)
        host.facts = facts
        with pytest.raises(AssertionError, match=words):
            checked(host, case())
        assert not any(" stop " in command for command in host.commands)


def test_what_must_not_be_saved_and_was() -> None:
    checked(Host(said=GOOD), case("{'flags': 'crfail'}"))
    with pytest.raises(AssertionError, match="the test says that it cannot save"):
        checked(Host(said=GOOD, restored=True), case("{'flags': 'crfail'}"))


def test_what_a_restore_has_done_is_not_asked_without_one() -> None:
    silent = GOOD | {"out": "FAIL: not restored\n"}
    for subject in (case("{'flags': 'reqrst'}"), case("{'flags': 'suid reqrst'}", hook="exit")):
        host = Host(said=silent)
        checked(host, subject)
        assert not any(" stop " in command or " hook " in command for command in host.commands)
        with pytest.raises(AssertionError, match="not restored"):
            checked(Host(said=silent, restored=True), subject)


def test_the_mappings_of_a_restless_test_are_not_compared() -> None:
    for restless in (True, False):
        host = Host(said=GOOD)
        host.facts = look(maps=MAPS[:2])
        subject = dataclasses.replace(case(), restless=restless)
        if restless:
            checked(host, subject)
        else:
            with pytest.raises(AssertionError, match="mappings lost"):
                checked(host, subject)


@pytest.mark.parametrize(
    ("ready", "error", "words"),
    [
        ("ok", None, ""),
        ("skip its .checkskip says no", CannotRun, "zdtm.pipe00.host: its .checkskip says no"),
        (
            "fail the test did not start: it ended with 1",
            CannotRun,
            "zdtm.pipe00.host: the test did not start",
        ),
        ("", AssertionError, "nothing"),
    ],
)
def test_how_a_test_starts(ready: str, error: type[Exception] | None, words: str) -> None:
    host = Host(said=GOOD, ready=ready)
    workload = Workload(host, 20001)
    if error is None:
        case().ready(host, workload)
        return
    with pytest.raises(error, match=words):
        case().ready(host, workload)


@pytest.mark.parametrize(("late", "starts"), [(5, True), (6, False)])
def test_a_slow_test_is_waited_for_in_turns(late: int, starts: bool) -> None:
    host = Host(said=GOOD)
    host.late = late
    if starts:
        case().ready(host, Workload(host, 20001))
    else:
        with pytest.raises(AssertionError, match="did not say what became of it"):
            case().ready(host, Workload(host, 20001))
    assert sum(" await " in command for command in host.commands) == 6
