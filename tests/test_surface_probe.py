"""The probe, run on this very host: every interface is asked for, one that kills its process stops nobody else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from harness.cache import Cache
from harness.surface import catalogue, program
from harness.surface.probe import EACH, read_features
from harness.surface.record import parse


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return program.build(Cache(tmp_path_factory.mktemp("cache")))


def run(binary: Path, *arguments: str) -> str:
    return subprocess.run([binary, *arguments], capture_output=True, text=True, check=True).stdout


def test_the_catalogue_and_the_probe_know_the_same_interfaces(binary: Path) -> None:
    listed = run(binary, "--list").split()
    assert len(listed) == len(set(listed)) > 350
    assert set(listed) == set(catalogue.load().entries)


def test_every_probe_says_something(binary: Path) -> None:
    found = parse(run(binary), catalogue.load())
    assert set(found) == set(catalogue.load().entries)
    assert {id: one for id, one in found.items() if one.result in ("silent", "timeout")} == {}
    assert found["syscall.kcmp"].result in ("ok", "ENOSYS", "EPERM")
    assert isinstance(fields := found["proc.status"].value, tuple)
    assert fields[0] == "Name"
    assert "SigQ" in fields
    assert found["proc.stat"].value == 52
    assert isinstance(fields := found["fdinfo.eventfd"].value, tuple)
    assert {"pos", "flags", "mnt_id", "eventfd-count"} <= set(fields)


def test_the_same_kernel_says_the_same_twice(binary: Path) -> None:
    once, again = (parse(run(binary), catalogue.load()) for _ in range(2))
    assert once == again


CRIU = """
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv) {
    puts("said by CRIU itself");
    if (argc != 4 || getenv("LD_PRELOAD")) return 9;
    if (!strcmp(argv[3], "dies")) raise(SIGKILL);
    return strcmp(argv[3], "yes") != 0;
}
"""


@pytest.mark.parametrize("linked", ["dynamic", "static"])
def test_one_criu_is_asked_about_each_feature(tmp_path: Path, linked: str) -> None:
    (tmp_path / "criu.c").write_text(CRIU)
    static = ["-static"] if linked == "static" else []
    subprocess.run(["gcc", *static, "-o", tmp_path / "criu", tmp_path / "criu.c"], check=True)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", tmp_path / "each", EACH], check=True)
    argv = [tmp_path / "criu", "check", "--feature", "yes,no,dies,yes_2,yes"]
    asked = ["env", f"LD_PRELOAD={tmp_path / 'each'}", *argv]
    told = read_features(subprocess.run(asked, capture_output=True, text=True, check=False).stdout)
    assert told == ({} if linked == "static" else {"yes": True, "no": False, "dies": False, "yes_2": False})


def test_single_probes_can_be_asked(binary: Path) -> None:
    lines = run(binary, "proc.stat", "syscall.rseq").splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["syscall.rseq", "proc.stat"]


def test_what_dies_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    """One probe of a shared process kills it, one hangs, one ends it without a word."""
    sources = [program.SOURCES / "probe.c"]
    mine = tmp_path / "mine.c"
    names = ("process", "ptrace", "socket", "netlink", "proc", "counter", "fd", "memory", "behaviour")
    mine.write_text(
        '#include "probe.h"\n#include <signal.h>\n#include <unistd.h>\n'
        "static void good(const long *a) { result(a[0]); number(7); }\n"
        "static void dies(const long *a) { result(a[0]); raise(SIGSEGV); }\n"
        "static void hangs(const long *a) { alarm(1); for (;;) pause(); (void)a; }\n"
        "static void mute(const long *a) { (void)a; }\n"
        'static void cannot(const long *a) { need(a[0], "a \\"step\\""); }\n'
        "const struct probe syscall_probes[] = {\n"
        '{"x.a", good, {0}}, {"x.b", dies, {0}}, {"x.c", good, {0}}, {"x.d", hangs, {0}},\n'
        '{"x.e", mute, {0}}, {"x.f", cannot, {0}}, {"x.g", good, {0}}, {0} };\n'
        + "".join(f"const struct probe {name}_probes[] = {{ {{0}} }};\n" for name in names)
    )
    target = tmp_path / "probe"
    flags = [*program.FLAGS, f"-I{program.SOURCES}"]
    subprocess.run(["gcc", *flags, "-o", target, mine, *sources], check=True)
    found = [json.loads(line) for line in run(target).splitlines()]
    assert [(one["id"], one["result"]) for one in found] == [
        ("x.a", "ok"),
        ("x.b", "SIGSEGV"),
        ("x.c", "ok"),
        ("x.d", "timeout"),
        ("x.e", "silent"),
        ("x.f", "unasked"),
        ("x.g", "ok"),
    ]
    assert found[2]["value"] == 7
    assert found[5]["value"].startswith('a "step": ')
