"""CRIU's own tests as scenarios: what a `.desc` means, which tests are run, and what fools the check."""

from __future__ import annotations

import copy
import dataclasses
import json
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.cache import Cache
from harness.errors import CannotRun, ConfigError
from harness.scenario import Workload
from harness.session.selection import Options, resumed
from harness.session.selection import choose as choose_run
from harness.suites.zdtm.build import Build, Built
from harness.suites.zdtm.case import Case, runs_hook
from harness.suites.zdtm.case import _fill as fill
from harness.suites.zdtm.desc import Desc, joined, parse
from harness.suites.zdtm.state import assert_marked, assert_same, processes
from harness.suites.zdtm.suite import Notes, choose, read_notes

ROOT = Path(__file__).parent.parent
NONCE = "3f7d9d3c-0f0e-4a6e-9a35-1d2f6f1a3f10"


def test_without_a_desc_every_flavour_is_run() -> None:
    assert parse("") == parse("\n") == Desc()
    assert Desc().flavours == ("host", "ns", "uns")


def test_a_desc_says_what_criu_needs_and_gets() -> None:
    desc = parse(
        "{'flavor': 'ns uns', 'flags': 'suid crfail', 'feature': 'mnt_id timens', 'opts': '--link-remap', "
        "'dopts': '--external mnt[/a]:A --ghost-limit 8M', 'ropts': '--external mnt[A]:/tmp/a', "
        "'deps': ['/bin/sh', '/sbin/ip|/bin/ip'], 'timeout': '60'}"
    )
    assert desc.flavours == ("ns", "uns")
    assert desc.flags == {"suid", "crfail"}
    assert desc.features == ("mnt_id", "timens")
    assert desc.options == ("--link-remap",)
    assert desc.dump_options == ("--external=mnt[/a]:A", "--ghost-limit=8M")
    assert desc.restore_options == ("--external=mnt[A]:/tmp/a",)
    assert desc.deps == ("/bin/sh", "/sbin/ip|/bin/ip")
    assert desc.seconds == 60
    assert desc.manual is None


def test_a_desc_is_never_run(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    assert parse(f"__import__('pathlib').Path({str(trap)!r}).touch() or {{}}").manual is not None
    assert not trap.exists()


def test_a_test_for_runs_by_hand() -> None:
    assert parse("{'flags': 'suid noauto'}").manual == "CRIU runs it by hand only (noauto)"


def test_options_keep_their_arguments() -> None:
    assert joined("-v --a b c=d --e") == ("-v", "--a=b=c=d", "--e")
    assert joined("") == ()


def test_a_hook_that_only_prints_is_not_run() -> None:
    assert runs_hook("#!/bin/sh\nexit 1")
    assert not runs_hook("#!/usr/bin/env python3\nimport pycriu\n")
    assert not runs_hook(None)


def built(name: str = "pipe00", desc: str = "", **changes: Any) -> Built:  # noqa: ANN401
    return Built(
        **{
            "name": name,
            "arguments": (f"--pidfile={name}.pid", f"--outfile={name}.out"),
            "desc": desc,
            "sha256": "0" * 64,
            "hook": None,
            "checkskip": False,
            "files": ("/lib64/ld-linux-x86-64.so.2", "/usr/lib/x86_64-linux-gnu/libc.so.6"),
            "packages": ("libc6",),
            "missing": (),
            **changes,
        }
    )


def build(*tests: Built, directory: Path = Path("/nowhere"), unbuilt: tuple[str, ...] = ()) -> Build:
    return Build(directory, "4.1.1-1", {test.name: test for test in tests}, unbuilt, 1.0)


def case(desc: str = "", flavour: str = "host", **changes: Any) -> Case:  # noqa: ANN401
    test = built(desc=desc, **changes)
    return Case(test, flavour, build(test))


def test_what_is_run_and_why_the_rest_is_not() -> None:
    suite = choose(
        build(
            built("pipe00"),
            built("cr_veth", "{'flavor': 'ns uns'}", missing=("/sbin/ip",)),
            built("tty01", "{'flavor': 'h ns'}"),
            built("gs", "{'arch': 's390x'}"),
            built("hand", "{'flags': 'noauto'}"),
            built("rtc", "{'flavor': 'h'}"),
            unbuilt=("broken",),
        ),
        Notes({"rtc": "needs a clock", "tty01.ns": "needs a terminal"}),
    )
    assert suite.names == ["zdtm.pipe00.host", "zdtm.pipe00.ns", "zdtm.pipe00.uns", "zdtm.tty01.host"]
    assert suite.tests == 2
    assert suite.left_out == {
        "broken": "does not compile in the userland of CRIU 4.1.1-1",
        "cr_veth.ns": "the userland lacks /sbin/ip",
        "cr_veth.uns": "the userland lacks /sbin/ip",
        "gs": "is for s390x",
        "hand": "CRIU runs it by hand only (noauto)",
        "rtc": "needs a clock",
        "tty01.ns": "needs a terminal",
    }


def test_scenarios_of_a_suite_are_chosen_by_globs() -> None:
    suite = choose(build(built("pipe00"), built("pipe01", "{'flavor': 'ns'}")), Notes())
    assert suite.select("*.ns") == ["zdtm.pipe00.ns", "zdtm.pipe01.ns"]
    assert suite.select("zdtm.pipe01.*,zdtm.pipe00.host") == ["zdtm.pipe00.host", "zdtm.pipe01.ns"]
    with pytest.raises(ConfigError, match=r"^no test of CRIU 4\.1\.1-1 that is run here matches ltp\*, x$"):
        suite.select("ltp*,*.ns,x")
    with pytest.raises(ConfigError, match="no test named"):
        suite.select(",")


def test_the_notes_in_the_repository_can_be_read() -> None:
    notes = read_notes(ROOT / "scenarios" / "zdtm.yaml")
    assert "plugin" in notes.left_out["rtc"]
    assert notes.sysctls["maps09"] == ("vm.nr_hugepages=16",)
    assert "pthread_timers_h" in notes.restless
    assert notes.refusals["bpf_hash"] == "anon_inode:bpf-map"


def test_notes_go_to_the_tests_that_they_are_about() -> None:
    notes = Notes(
        sysctls={"pipe00": ("vm.x=1",)}, restless=frozenset({"timers"}), refusals={"timers": "bpf-map"}
    )
    cases = choose(build(built("pipe00"), built("timers")), notes).cases
    assert cases["zdtm.pipe00.ns"].scenario.refusal is None
    assert cases["zdtm.timers.ns"].scenario.refusal == "bpf-map"
    assert cases["zdtm.pipe00.ns"].scenario.sysctls == ("vm.x=1",)
    assert not cases["zdtm.pipe00.ns"].restless
    assert cases["zdtm.timers.ns"].scenario.sysctls == ()
    assert cases["zdtm.timers.ns"].restless


@pytest.mark.parametrize(
    "text",
    ["[]", "left_out: []", "left_out: {why: rtc}", "left_out: {why: [", "left: {}", "refusals: {'(': [rtc]}"],
)
def test_reasons_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "zdtm.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"zdtm\.yaml"):
        read_notes(path)


def test_criu_gets_what_its_own_runner_would_give_it() -> None:
    host = case("{'opts': '--tcp-established', 'ropts': '--tcp-close', 'feature': 'timens'}").scenario
    assert host.criu == ("--tcp-established", "--pidfile=/work/test/zdtm/static/pipe00.pid")
    assert host.dump == ()
    assert host.restore == ("--tcp-close",)
    assert host.needs.features == ("timens",)
    assert host.refusal is None
    ns = case("{'flags': 'crfail'}", "uns").scenario
    assert ns.criu[-1] == "--root=/run/zdtm/root/root"
    assert ns.dump == ("--external=mnt[/dev]:ZDTM_DEV",)
    assert ns.restore == ("--external=mnt[ZDTM_DEV]:/run/zdtm/dev",)
    assert ns.needs.features == ("userns",)
    assert ns.refusal == ""


def test_a_case_is_another_one_when_anything_of_it_changes() -> None:
    plain = case()
    others = [case(flavour="ns"), case("{'flags': 'suid'}"), case(sha256="1" * 64), case(arguments=("--x",))]
    assert len({plain.sha256, *(other.sha256 for other in others)}) == 5


def test_the_configuration_is_a_shell_script() -> None:
    text = case("{'flags': 'suid'}", "ns", checkskip=True, hook="exit").configuration()
    assert "FLAVOUR=ns\n" in text
    assert "SUID=yes\n" in text
    assert "HOOK=yes\n" in text
    assert "CHECKSKIP=yes\n" in text
    assert "FILES='/lib/x86_64-linux-gnu/libc.so.6 /lib64/ld-linux-x86-64.so.2'\n" in text
    assert "FILES=''\n" in case().configuration()
    assert "NETFILTER=no\n" in text
    assert "NETFILTER=no\n" in case().configuration()
    assert "NETFILTER=yes\n" in case("{'dopts': '--tcp-established', 'ropts': '--tcp-close'}").configuration()


@pytest.mark.parametrize(("flavour", "has_root"), [("host", False), ("ns", True)])
def test_a_payload_has_what_the_test_needs(tmp_path: Path, flavour: str, has_root: bool) -> None:
    (tmp_path / "static").mkdir()
    for name in ("pipe00", "pipe00.hook"):
        (tmp_path / "static" / name).write_text(name)
    test = built()
    eye = tmp_path / "eye"
    eye.write_text("eye")
    with tarfile.open(tmp_path / "payload.tar", "w") as tar:
        fill(tar, Case(test, flavour, build(test, directory=tmp_path)), eye)
    with tarfile.open(tmp_path / "payload.tar") as tar:
        members = {member.name: member for member in tar}
    assert members["work/test/zdtm/static"].mode == 0o777
    assert members["work/test/zdtm/static/pipe00"].mode == 0o755
    assert "work/test/zdtm/static/pipe00.hook" in members
    assert "work/test/zdtm/static/pipe00.checkskip" not in members
    assert ("work/test/usr/lib" in members) is has_root


@pytest.mark.parametrize(
    ("suite", "userlands", "words"),
    [
        ("ltp", "trixie", "there is no suite 'ltp'; there is: zdtm"),
        ("zdtm", "trixie,bookworm", "the suite is that of one userland's CRIU"),
    ],
)
def test_suites_that_cannot_be_had(suite: str, userlands: str, words: str, tmp_path: Path) -> None:
    options = Options(
        ROOT / "kernels.yaml", ROOT / "scenarios", kernels="debian-6.12", userlands=userlands, suite=suite
    )
    with pytest.raises(ConfigError, match=words):
        choose_run(options, Cache(tmp_path))


@pytest.mark.parametrize(
    ("plan", "suite"), [({"suite": "zdtm"}, "zdtm"), ({"suite": None}, None), ({}, None)]
)
def test_a_resumed_run_goes_on_with_its_suite(plan: dict[str, Any], suite: str | None) -> None:
    record = {
        "plan": {
            "kernels": [{"label": "debian-6.12"}],
            "userlands": ["trixie"],
            "scenarios": ["zdtm.pipe00.ns"],
            "isolation": "reset",
            **plan,
        }
    }
    assert resumed(Options(ROOT / "kernels.yaml", ROOT / "scenarios"), record).suite == suite


MAPS = [
    "555000-556000 r-xp 00000000 fe:00 1  /work/test/zdtm/static/pipe00",
    "556000-557000 r-xp 00001000 fe:00 1  /work/test/zdtm/static/pipe00",
    "700000-701000 rw-p 00000000 00:00 0 ",
    "7ff000-7ff400 r--p 00000000 00:00 0  [vvar]",
    "7ff400-7ff600 r-xp 00000000 00:00 0  [vdso]",
]
MOUNTS = ["21 1 254:0 /work/test / rw,relatime shared:1 - ext4 /dev/vda rw"]


def look(ids: str = "20003 1", **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    record = {
        "ids": ids,
        "zombie": False,
        "nonce": NONCE,
        "fds": ["0", "1", "2", "5"],
        "maps": list(MAPS),
        "map_files": {"555000-556000": 0o120500},
        "mounts": list(MOUNTS),
    }
    return {"gone": False, "processes": [{**record, **changes}]}


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
