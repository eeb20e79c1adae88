"""The front door: exit codes, one clear line for trouble, no traceback."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import ledgers
import pytest

from harness import __version__
from harness.cache import Cache
from harness.cli import kernels as kernels_command
from harness.cli import main, place
from harness.cli.trouble import tell, tell_bug
from harness.config import load
from harness.errors import ConfigError, Exit, HostError, KernelUnavailable
from harness.matrix.cell import Cell, Outcome, Phase
from harness.session.selection import Options

ROOT = Path(__file__).parent.parent
FILES = """\
userlands: {trixie: {suite: trixie, packages: [criu]}}
kernels:
  good: {image: good/vmlinuz}
  bad: {image: bad/vmlinuz}
"""


def kmatrix(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *argv: str
) -> tuple[int, str, str]:
    """Exit code, stdout, stderr of `kmatrix ARGV`, in this process."""
    monkeypatch.setattr(sys, "argv", ["kmatrix", *argv])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    return int(ended.value.code or 0), said.out, said.err


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout as the working directory."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "conftest.py").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert kmatrix(monkeypatch, capsys, "--version") == (0, f"kmatrix {__version__}\n", "")


def test_is_installed_as_a_program() -> None:
    program = Path(sys.executable).with_name("kmatrix")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"kmatrix {__version__}\n"


@pytest.mark.parametrize(
    "argv", [("--nope",), ("frobnicate",), ("show",), ("run", "--jobs", "0"), ("run", "--isolation", "x")]
)
def test_wrong_usage(
    argv: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = kmatrix(monkeypatch, capsys, *argv)
    assert code == Exit.USAGE
    assert out == ""
    assert "Error: " in err


def test_a_configuration_with_mistakes(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout / "kernels.yaml").write_text("userlands: 3\nkernel: {}\n")
    code, _, err = kmatrix(monkeypatch, capsys, "kernels")
    assert code == Exit.USAGE
    lines = err.splitlines()
    assert any(line.startswith("kmatrix: kernels.yaml:1: userlands: ") for line in lines)
    assert any("kernels.yaml:2: kernel: " in line for line in lines)
    assert lines[-1] == "  hint: docs/kernels-yaml.md describes every key"


def test_nothing_to_show(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = kmatrix(monkeypatch, capsys, "report")
    assert code == Exit.USAGE
    assert err == f"kmatrix: there is no run in {checkout / 'reports'} yet\n  hint: kmatrix run\n"


def test_outside_a_checkout(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is in no checkout of kmatrix"):
        place.find(tmp_path, tmp_path / "site-packages" / "harness")


def test_a_checkout_is_found_from_below_and_from_elsewhere(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (checkout / "docs").mkdir()
    assert place.find(checkout / "docs").root == checkout
    assert place.find(tmp_path_factory.mktemp("elsewhere"), checkout / "harness").root == checkout


def test_runs_are_found_by_name_by_path_and_the_newest(checkout: Path) -> None:
    here = place.find()
    old, new = here.reports / "20260101-000000-aaaa", here.reports / "20260102-000000-bbbb"
    old.mkdir(parents=True)
    new.mkdir()
    (here.reports / "latest").symlink_to(new.name)
    assert here.run(None) == new
    assert here.run("latest") == new
    assert here.run(old.name) == old
    assert here.run(str(old)) == old
    with pytest.raises(ConfigError, match="no run 'other'"):
        here.run("other")


@pytest.fixture
def two_runs(checkout: Path) -> Path:
    """A checkout with the runs `one` and `two`: the second has a failure that the first had not, and an older CRIU."""
    cell = Cell("trixie", "cold", "redis", "debian-6.1-oldest", "debian-6.12")
    fails = ledgers.attempt(cell, Outcome.FAIL, phase=Phase.DUMP, error="Error (criu/x.c:1): no")
    ledgers.write_run(checkout / "reports" / "one", [ledgers.attempt(cell)])
    facts = ledgers.run_facts(("debian-6.1-oldest", "debian-6.12"), ("redis",), 1)
    facts["userlands"]["trixie"]["criu"] = "3.17"
    ledgers.write_run(checkout / "reports" / "two", [fails], facts=facts)
    return checkout


def test_report_says_what_changed_and_that_it_is_unfair(
    two_runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = kmatrix(monkeypatch, capsys, "report", "two", "--against", "one")
    assert (code, err) == (Exit.OK, "")
    assert "1 new breakage against 20261120T200000Z-test, in unlike conditions" in out
    assert "CRIU of trixie was 4.1.1 and is 3.17" in out
    assert "regression · 1 cell\n    x.c: no\n" in out
    compared = json.loads((two_runs / "reports/two/matrix.json").read_text())["comparison"]
    assert compared["counts"]["regression"] == 1
    code, _, err = kmatrix(monkeypatch, capsys, "report", "two", "--against", "reports/two")
    assert code == Exit.USAGE
    assert "cannot be compared with itself" in err
    code, _, err = kmatrix(monkeypatch, capsys, "report", "two", "--against", "three")
    assert (code, "there is no run 'three'" in err) == (Exit.USAGE, True)


def test_report_writes_one_format_to_stdout_and_no_file(
    two_runs: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    run = two_runs / "reports" / "two"
    before = sorted(path.name for path in run.iterdir())
    monkeypatch.setattr(sys, "argv", ["kmatrix", "report", "two", "--format", "ktap"])
    with pytest.raises(SystemExit):
        main()
    assert capsysbinary.readouterr().out.startswith(b"KTAP version 1\n")
    assert sorted(path.name for path in run.iterdir()) == before


def test_report_writes_formats_where_it_is_told(
    two_runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kmatrix(monkeypatch, capsys, "report", "two", "--format", "junit", "--output", "a.xml") == (
        0,
        "",
        "",
    )
    assert (two_runs / "a.xml").read_text().startswith("<?xml")
    formats = ("--format", "json", "--format", "badge")
    assert kmatrix(monkeypatch, capsys, "report", "two", *formats, "--output", "out")[0] == Exit.OK
    assert sorted(path.name for path in (two_runs / "out").iterdir()) == ["badge.svg", "matrix.json"]
    for wrong, words in (
        (formats, "--output FOLDER"),
        (("--output", "x"), "--format NAME"),
        (("--format", "pdf"), "there is no format 'pdf'; there are: html, json,"),
        ((*formats, "--output", "a.xml"), "cannot write a.xml: File exists"),
        (("--format", "json", "--output", "nowhere/x"), "cannot write nowhere/x: No such file or directory"),
    ):
        code, out, err = kmatrix(monkeypatch, capsys, "report", "two", *wrong)
        assert code in (Exit.USAGE, Exit.LAB)
        assert out == ""
        assert words in err


def test_report_and_show_read_a_run(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = checkout / "reports" / "one"
    cell = Cell("trixie", "cold", "redis", "debian-6.1-oldest", "debian-6.12")
    ledgers.write_run(run, [ledgers.attempt(cell)])
    code, out, err = kmatrix(monkeypatch, capsys, "report", "one")
    assert (code, err) == (0, "")
    assert out.endswith("reports/one/index.html\n"), "the path as a user in the checkout would type it"
    assert (run / "matrix.json").is_file()
    code, out, err = kmatrix(monkeypatch, capsys, "show", str(cell), "--run", "one")
    assert (code, err) == (0, "")
    assert str(cell) in out
    code, _, err = kmatrix(monkeypatch, capsys, "show", "trixie/cold/redis/a→b", "--run", "one")
    assert code == Exit.USAGE
    assert "has no cell" in err


def test_a_cell_to_run_again_must_be_one(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = kmatrix(monkeypatch, capsys, "repro", "redis\x1b[2J")
    assert code == Exit.USAGE
    assert err.startswith("kmatrix: ")
    assert "\x1b" not in err


@pytest.mark.parametrize(
    ("outcome", "code"),
    [(Outcome.PASS, 0), (Outcome.SKIP, 0), (Outcome.FAIL, Exit.BREAKAGE), (Outcome.ERROR, Exit.LAB)],
)
def test_a_cell_run_again_tells_by_its_exit_code(
    outcome: Outcome,
    code: int,
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = []

    def run_again(
        cell: Cell, options: Options, reports: Path, say: object, lines: Iterable[str] | None
    ) -> Outcome:
        seen.append((cell.scenario, options.scenario_directory, reports, list(lines or ())))
        return outcome

    monkeypatch.setattr("harness.session.repro.repro", run_again)
    monkeypatch.setattr("sys.stdin", io.StringIO("ls\nexit\n"))
    got, _, err = kmatrix(monkeypatch, capsys, "repro", "--shell", "trixie/cold/redis/debian-6.1→debian-6.12")
    assert (got, err) == (code, "")
    assert seen == [("redis", checkout / "scenarios", checkout / "reports", ["ls\n", "exit\n"])]


def test_scenarios_are_listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    code, out, _ = kmatrix(monkeypatch, capsys, "scenarios")
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert set(lines) >= {"cpu", "threads", "pipes", "tcp", "python", "redis"}
    assert "needs redis-server" in lines["redis"]
    assert "[app" in lines["redis"]


def test_kernels_that_are_gone_do_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vmlinuz").touch()
    (tmp_path / "kernels.yaml").write_text(FILES)

    def resolve(label: str, *_: object) -> list[object]:
        if label == "bad":
            raise KernelUnavailable("bad is gone")
        return [type("Candidate", (), {"label": label})()]

    monkeypatch.setattr(kernels_command, "resolve", resolve)
    lost: list[KernelUnavailable] = []
    config = load(tmp_path / "kernels.yaml")
    found = kernels_command.candidates(config, "good,bad", Cache(tmp_path / "cache"), lost.append)
    assert [candidate.label for candidate in found] == ["good"]
    assert [str(error) for error in lost] == ["bad is gone"]


def test_trouble_is_one_line_with_a_hint_and_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell(HostError("no \x1b[31mQEMU", hint="apt-get install it")) is Exit.LAB
    assert capsys.readouterr().err == "kmatrix: no \\x1b[31mQEMU\n  hint: apt-get install it\n"
    assert tell(ConfigError("first\nsecond")) is Exit.USAGE
    assert capsys.readouterr().err == "kmatrix: first\nkmatrix: second\n"


def test_a_bug_says_where_its_traceback_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell_bug(_raised()) is Exit.LAB
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "kmatrix: a bug in kmatrix: ZeroDivisionError: integer division or modulo by zero"
    kept = Path(said[1].removeprefix("  hint: the traceback is in "))
    assert "1 // 0" in kept.read_text()
    kept.unlink()
    assert tell_bug(_raised(), debug=True) is Exit.LAB
    assert "1 // 0" in capsys.readouterr().err


def _raised() -> Exception:
    try:
        1 // 0  # noqa: B018
    except ZeroDivisionError as error:
        return error
    raise AssertionError("unreachable")


def test_a_bug_does_not_look_like_breakage(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(checkout))
    monkeypatch.setattr("harness.cli.place.find", lambda: 1 // 0)
    code, _, err = kmatrix(monkeypatch, capsys, "report")
    assert code == Exit.LAB
    assert "a bug in kmatrix: ZeroDivisionError" in err


def test_a_locale_without_glyphs(tmp_path: Path) -> None:
    run = tmp_path / "one"
    ledgers.write_run(
        run, [ledgers.attempt(Cell("trixie", "cold", "redis", "debian-6.1-oldest", "debian-6.12"))]
    )
    program = shutil.which("kmatrix", path=str(Path(sys.executable).parent))
    assert program is not None
    done = subprocess.run(
        [program, "report", str(run)],
        env={"PYTHONIOENCODING": "latin-1", "PATH": "/usr/bin:/bin"},
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"\\u2713" in done.stdout
