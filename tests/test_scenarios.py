"""The scenarios' self-tests on this host, without a guest: each check passes, and each corruption makes it fail."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import testinfra

from harness import scenario as scenarios
from harness import witness
from harness.images.agent import HAND_PATH, compile_program
from harness.images.workload import FLAGS
from harness.matrix.workloads import load

SCENARIOS = Path(__file__).parent.parent / "scenarios"
NAMES = sorted(path.stem for path in SCENARIOS.glob("*.py") if not path.stem.startswith("_"))

REFERENCES = {name: load(SCENARIOS / f"{name}.py") for name in NAMES}
pytestmark = pytest.mark.selftest
CORRUPTIONS = [(name, what) for name, reference in REFERENCES.items() for what in reference.corruptions]

Start = Callable[[str, Path], scenarios.Workload]


class Programs:
    """The workloads' programs and scripts, each made when it is first wanted, as `bin/` in the guest has them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.hand = directory / "hand"
        self._made: set[str] = set()

    def make(self, name: str) -> None:
        """What the scenario `name` runs, and the lab's hand."""
        if not self.hand.exists():
            compile_program(HAND_PATH, self.hand)
        if name in self._made:
            return
        scenario = REFERENCES[name].scenario
        for source in scenario.sources:
            output = ["-o", str(self.directory / Path(source).stem), str(SCENARIOS / source)]
            subprocess.run(["gcc", *FLAGS, *output, *scenario.libraries], check=True, timeout=60)
        for file in scenario.files:
            shutil.copy(SCENARIOS / file, self.directory)
        self._made.add(name)


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """Where they are."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    return Programs(tmp_path_factory.mktemp("bin"))


@pytest.fixture(scope="session")
def host_packages() -> frozenset[str]:
    """The Debian packages on this host; none if it is no Debian."""
    if shutil.which("dpkg-query") is None:
        return frozenset()
    argv = ["dpkg-query", "--show", "--showformat", "${db:Status-Abbrev}${Package}\n"]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout
    return frozenset(line.removeprefix("ii ") for line in listed.splitlines() if line.startswith("ii "))


def require_sysctls(wanted: tuple[str, ...]) -> None:
    """A guest is tuned by the lab; a test does not change the host that it runs on."""
    for setting in wanted:
        name, _, value = setting.partition("=")
        path = Path("/proc/sys") / name.replace(".", "/")
        if not path.exists() or path.read_text().strip() != value:
            pytest.skip(f"this host has not {setting}")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that a server's own user can enter: nobody else may enter those of `tmp_path`."""
    with tempfile.TemporaryDirectory(prefix="kmatrix-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def in_own_network(hand: Path, command: list[str]) -> list[str]:
    """`command` in a new network namespace with loopback up, as the lab does it; the pid stays the same."""
    mapped = [] if os.geteuid() == 0 else ["unshare", "-r"]
    argv = [*mapped, str(hand), "start", "own", *command]
    if mapped and shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    if subprocess.run([*argv[: -len(command)], "true"], capture_output=True, timeout=10).returncode:
        pytest.skip("this host does not allow a network namespace")
    return argv


@pytest.fixture
def start(programs: Programs, host_packages: frozenset[str]) -> Iterator[Start]:
    """Starts a scenario's workload in a directory as the lab does; ends it and its children afterwards."""
    started: list[subprocess.Popen[bytes]] = []
    adopted: list[scenarios.Workload] = []

    def run(name: str, directory: Path) -> scenarios.Workload:
        reference = REFERENCES[name]
        if reference.scenario.engine != "criu":
            pytest.skip(
                f"{name} runs in a container of {reference.scenario.engine}: tests/test_vm_containers.py"
            )
        if lacking := set(reference.scenario.needs.packages) - host_packages:
            pytest.skip(f"not installed on this host: {', '.join(sorted(lacking))}")
        programs.make(name)
        require_sysctls(reference.scenario.sysctls)
        directory.mkdir(exist_ok=True)
        (directory / "ready").unlink(missing_ok=True)
        if not (directory / "bin").exists():
            (directory / "bin").symlink_to(programs.directory)
        command = list(reference.scenario.command)
        if reference.scenario.own_network:
            command = in_own_network(programs.hand, command)
        with (directory / "stdout.log").open("ab") as log:
            process = subprocess.Popen(
                # a shell cannot trap what was ignored when it was started, as SIGHUP is under nohup
                ["env", "--default-signal", *command],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"WAIT_MS": "1000"},
                start_new_session=True,
            )
        started.append(process)
        host = testinfra.get_host("local://")
        workload = scenarios.Workload(host, process.pid, str(directory), hand=str(programs.hand))
        reference.ready(host, workload)
        if reference.scenario.pidfile is not None:
            workload = replace(workload, pid=int((directory / reference.scenario.pidfile).read_text()))
            adopted.append(workload)
        return workload

    yield run
    for process in started:
        end(process)
    for workload in adopted:
        if is_alive(workload.pid):
            kill(workload)


def end(process: subprocess.Popen[bytes]) -> None:
    try:
        end_family(process.pid)
    except ProcessLookupError:
        return
    finally:
        process.wait(timeout=10)


def end_family(pid: int) -> None:
    """End a session's leader, its group, and those of its descendants that have sessions of their own."""
    try:
        family = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    os.killpg(pid, signal.SIGKILL)
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    deadline = time.monotonic() + 5
    while any(is_alive(member.pid) for member in family) and time.monotonic() < deadline:
        time.sleep(0.01)


def kill(workload: scenarios.Workload) -> None:
    end_family(workload.pid)
    deadline = time.monotonic() + 10
    while is_alive(workload.pid) and time.monotonic() < deadline:
        # one that a pidfile names is not this process's child
        with contextlib.suppress(ChildProcessError):
            os.waitpid(workload.pid, 0)
        time.sleep(0.01)


def status_of(pid: int) -> dict[str, str]:
    """The lines of /proc/PID/status; none if there is no such process."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: words.strip() for name, _, words in (line.partition(":") for line in lines)}


def is_alive(pid: int) -> bool:
    return not status_of(pid).get("State", "Z").startswith(("Z", "X"))


def as_known_to_itself(workload: scenarios.Workload) -> scenarios.Workload:
    """With the pid that the process has in its own pid namespace."""
    return replace(workload, inner=int(status_of(workload.pid)["NSpid"].split()[-1]))


@pytest.mark.parametrize("name", NAMES)
def test_check_passes_when_nothing_happened(name: str, start: Start, place: Path) -> None:
    workload = start(name, place)
    reference = REFERENCES[name]
    before = reference.remember(workload.host, workload)
    time.sleep(0.2)
    reference.check(workload.host, workload, before)
    assert before["pid"] == as_known_to_itself(workload).own_pid


@pytest.mark.parametrize(("name", "what"), CORRUPTIONS)
def test_corruption_is_noticed(name: str, what: str, start: Start, place: Path) -> None:
    workload = start(name, place)
    reference = REFERENCES[name]
    before = reference.remember(workload.host, workload)
    reference.corrupt(workload.host, workload, what)
    with pytest.raises(AssertionError, match=reference.corruptions[what]):
        reference.check(workload.host, workload, before)


@pytest.mark.parametrize("name", NAMES)
def test_restarted_process_is_noticed(name: str, start: Start, place: Path) -> None:
    """Even one that got the old pid, the old directory and had time to count as far as the old one."""
    first = start(name, place)
    reference = REFERENCES[name]
    before = reference.remember(first.host, first)
    kill(first)
    with pytest.raises(AssertionError, match="is gone"):
        reference.check(first.host, first, before)
    second = start(name, place)
    with pytest.raises(AssertionError, match="another pid"):
        witness.assert_same_process(second, before, second.ask())
    known = as_known_to_itself(second)
    before |= {"pid": known.own_pid, "remembered_pid": known.own_pid, "ticks": 0}
    with pytest.raises(AssertionError, match="this is another process"):
        witness.assert_same_process(known, before, second.ask())
    with pytest.raises(AssertionError):
        reference.check(second.host, second, before)


@pytest.mark.parametrize("name", NAMES)
def test_nonce_never_reaches_the_disk(name: str, start: Start, place: Path) -> None:
    workload = start(name, place)
    nonce = REFERENCES[name].remember(workload.host, workload)["nonce"]
    assert len(nonce) == 32
    # An empty file keeps no secret, and to open one on which a workload has a lease would wait for it.
    found = (path for path in place.rglob("*") if path.is_file() and "bin" not in path.parts)
    files = [path for path in found if path.stat().st_size]
    assert all(nonce.encode() not in path.read_bytes() for path in files)
    assert all(bytes.fromhex(nonce) not in path.read_bytes() for path in files)


def test_what_has_changed_is_told_in_one_order() -> None:
    """A set's order depends on the process's hash seed; the words are a signature, and one fault has one."""
    names = [f"fact{number}" for number in range(40)]
    before, after = dict.fromkeys(names, 1), dict.fromkeys(names, 2)
    with pytest.raises(AssertionError) as said:
        witness.assert_steady(before, after, ("fact7",))
    told = re.findall(r"fact\d+", str(said.value).partition("\n")[0])
    assert told == [name for name in names if name != "fact7"]
