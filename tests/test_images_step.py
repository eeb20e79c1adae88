"""The guest's `step`, on this host."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness.images.agent import STEP_PATH, compile_program


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    binary = tmp_path_factory.mktemp("step") / "step"
    compile_program(STEP_PATH, binary)
    return binary


def step(program: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    argv = [str(program), *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


def shell(line: str) -> tuple[str, str, str]:
    return ("sh", "-c", line)


def uptime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@pytest.mark.parametrize(
    ("line", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 128 + signal.SIGKILL), ("exit 255", 255)]
)
def test_run_tells_the_code_and_when_it_began_and_ended(
    program: Path, tmp_path: Path, line: str, code: int
) -> None:
    before = uptime()
    done = step(program, "run", tmp_path / "out", *shell(f"sleep 0.2; {line}"))
    after = uptime()
    assert (done.returncode, done.stderr) == (0, "")
    told, began, ended = done.stdout.split()
    assert int(told) == code
    assert before - 0.01 < float(began) <= float(ended) - 0.2 < after


def test_run_adds_both_outputs_to_the_file(program: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.write_text("before\n")
    step(program, "run", output, *shell("echo said; echo complained >&2"))
    assert output.read_text() == "before\nsaid\ncomplained\n"


@pytest.mark.parametrize(("command", "code"), [("/nowhere/criu", 127), ("/", 126)])
def test_a_command_that_cannot_be_run_is_told_as_a_shell_does(
    program: Path, tmp_path: Path, command: str, code: int
) -> None:
    done = step(program, "run", tmp_path / "out", command)
    assert int(done.stdout.split()[0]) == code
    assert command in (tmp_path / "out").read_text()


def test_run_leaves_signals_as_they_were(program: Path, tmp_path: Path) -> None:
    seen = step(program, "run", tmp_path / "out", "grep", "^Sig", "/proc/self/status")
    assert seen.returncode == 0
    own = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("SigB")]
    assert own[0] in (tmp_path / "out").read_text()


def test_adopt_copies_the_pid_of_a_file(program: Path, tmp_path: Path) -> None:
    (tmp_path / "from").write_text(" 4711\n")
    done = step(program, "adopt", tmp_path / "from", tmp_path / "pid")
    assert (done.returncode, done.stdout) == (0, "4711\n")
    assert (tmp_path / "pid").read_text() == "4711\n"


@pytest.mark.parametrize("text", ["", "none", "-3", "0"])
def test_adopt_refuses_what_is_no_pid(program: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "from").write_text(text)
    done = step(program, "adopt", tmp_path / "from", tmp_path / "pid")
    assert done.returncode == 1
    assert "there is no pid in it" in done.stderr
    assert not (tmp_path / "pid").exists()


def test_age_does_not_wait_where_clocks_have_namespaces(program: Path) -> None:
    if not Path("/proc/self/ns/time").exists():
        pytest.skip("this host's kernel has no time namespaces")
    assert step(program, "age", uptime() + 1000).returncode == 0


@pytest.mark.parametrize(
    "arguments", [(), ("nonsense",), ("run", "out"), ("start", "/tmp", "pid"), ("age",), ("adopt", "x")]
)
def test_what_is_no_step_is_refused(program: Path, arguments: tuple[str, ...]) -> None:
    done = step(program, *arguments)
    assert done.returncode == 2
    assert done.stderr == "step: no such step\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="sets the next pid, for which one must be root")
def test_start_needs_its_directory(program: Path, tmp_path: Path) -> None:
    done = step(program, "start", tmp_path / "nowhere", tmp_path / "pid", "true")
    assert done.returncode == 1
    assert "nowhere: No such file" in done.stderr
