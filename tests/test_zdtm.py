"""CRIU's own tests as scenarios: what a `.desc` means, and which tests are run."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest
from zdtm_cases import build, built, case

from harness.cache import Cache
from harness.errors import ConfigError
from harness.session.selection import Options, resumed
from harness.session.selection import choose as choose_run
from harness.suites.zdtm.case import Case, runs_hook
from harness.suites.zdtm.case import _fill as fill
from harness.suites.zdtm.desc import Desc, joined, parse
from harness.suites.zdtm.suite import Notes, choose, read_notes

ROOT = Path(__file__).parent.parent


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
    assert "mnt_ext_root" in notes.rehearsed
    assert notes.refusals["bpf_hash"] == "anon_inode:bpf-map"


def test_notes_go_to_the_tests_that_they_are_about() -> None:
    notes = Notes(
        sysctls={"pipe00": ("vm.x=1",)},
        restless=frozenset({"timers"}),
        rehearsed=frozenset({"timers"}),
        refusals={"timers": "bpf-map"},
    )
    cases = choose(build(built("pipe00"), built("timers")), notes).cases
    assert cases["zdtm.pipe00.ns"].scenario.refusal is None
    assert cases["zdtm.timers.ns"].scenario.refusal == "bpf-map"
    assert cases["zdtm.pipe00.ns"].scenario.sysctls == ("vm.x=1",)
    assert not cases["zdtm.pipe00.ns"].restless
    assert "REHEARSED=no\n" in cases["zdtm.pipe00.ns"].configuration()
    assert cases["zdtm.timers.ns"].scenario.sysctls == ()
    assert cases["zdtm.timers.ns"].restless
    assert "REHEARSED=yes\n" in cases["zdtm.timers.ns"].configuration()


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
