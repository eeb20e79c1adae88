"""`kmatrix run` as a pytest session: the command line, and what its end means."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.cli import front
from harness.cli.front import FailOn, Watcher, Wishes, exit_code, pytest_arguments
from harness.errors import Exit, HostError, KernelUnavailable
from harness.matrix.cell import Isolation

ROOT = Path("/checkout")


def test_a_plain_run_leaves_everything_to_the_profile() -> None:
    assert pytest_arguments(ROOT, Wishes()) == [
        *("-p", "harness.pytest_plugin", "--rootdir=/checkout", "-p", "no:terminal"),
        *("--fail-on=none", "/checkout/scenarios"),
    ]


def test_every_wish_reaches_pytest() -> None:
    arguments = pytest_arguments(
        ROOT,
        Wishes(
            config=Path("mine.yaml"),
            profile="nightly",
            kernels="debian-6.1*,-odd",
            userlands="trixie",
            scenarios="redis",
            criu=Path("../criu"),
            jobs=3,
            isolation=Isolation.BOOT,
            run_dir=Path("out"),
            resume=True,
            fail_on=FailOn.BREAKAGE,
            keyword="redis and not baseline",
            mark="app",
            exit_first=True,
            last_failed=True,
            junit=Path("junit.xml"),
        ),
    )
    assert arguments[5:-1] == [
        "--kmatrix-config=mine.yaml",
        "--profile=nightly",
        "--kernels=debian-6.1*,-odd",
        "--userlands=trixie",
        "--scenarios=redis",
        "--criu=../criu",
        "--jobs=3",
        "--isolation=boot",
        "--run-dir=out",
        "--fail-on=breakage",
        "--junitxml=junit.xml",
        *("-k", "redis and not baseline", "-m", "app", "--resume", "-x", "--lf"),
    ]


def test_arguments_for_pytest_bring_its_reporter_back() -> None:
    arguments = pytest_arguments(ROOT, Wishes(more=("-v", "--durations=5")))
    assert "no:terminal" not in arguments
    assert arguments[-3:] == ["-v", "--durations=5", "/checkout/scenarios"]


def test_the_plugin_knows_every_option() -> None:
    """Asked of pytest itself, so that the two cannot drift apart."""
    parser = pytest.Parser(_ispytest=True)
    from harness import pytest_plugin

    pytest_plugin.pytest_addoption(parser)
    known = {name for group in parser._groups for option in group.options for name in option.names()}
    wishes = Wishes(
        config=ROOT, profile="x", kernels="x", userlands="x", scenarios="x", criu=ROOT, jobs=1,
        isolation=Isolation.RESET, run_dir=ROOT, resume=True,
    )  # fmt: skip
    ours = {word.partition("=")[0] for word in pytest_arguments(ROOT, wishes) if word.startswith("--")}
    assert ours - {"--rootdir"} <= known


@pytest.mark.parametrize(
    ("status", "watcher", "code"),
    [
        (0, Watcher(), Exit.OK),
        (1, Watcher(), Exit.BREAKAGE),
        (2, Watcher(interrupted=True), Exit.INTERRUPTED),
        (2, Watcher(unread=["scenarios/x.py: SyntaxError"]), Exit.USAGE),
        (3, Watcher(), Exit.LAB),
        (4, Watcher(), Exit.USAGE),
        (5, Watcher(), Exit.USAGE),
        (6, Watcher(), Exit.LAB),
        (130, Watcher(), Exit.INTERRUPTED),
        (2, Watcher(failure=HostError("no QEMU")), Exit.LAB),
        (0, Watcher(failure=KernelUnavailable("gone")), Exit.LAB),
    ],
)
def test_exit_codes(status: int, watcher: Watcher, code: Exit) -> None:
    assert exit_code(status, watcher) == code


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A pytest project of its own, without the lab's plugin."""
    (tmp_path / "pytest.ini").touch()
    return tmp_path


def session(project: Path) -> tuple[int, Watcher]:
    return front.session(
        ["-p", "no:terminal", "-p", "no:cacheprovider", f"--rootdir={project}", str(project)]
    )


def test_ctrl_c_is_told_from_a_scenario_that_cannot_be_imported(project: Path) -> None:
    (project / "test_one_interrupted.py").write_text("def test() -> None: raise KeyboardInterrupt\n")
    status, seen = session(project)
    assert (exit_code(status, seen), seen.unread) == (Exit.INTERRUPTED, [])

    (project / "test_one_interrupted.py").unlink()
    (project / "test_one_broken.py").write_text("import there_is_no_such_module\n")
    status, seen = session(project)
    assert exit_code(status, seen) == Exit.USAGE
    assert seen.unread == [
        "test_one_broken.py: ModuleNotFoundError: No module named 'there_is_no_such_module'"
    ]


def test_a_failure_that_the_plugin_knows_is_told(project: Path) -> None:
    (project / "conftest.py").write_text(
        "import pytest\n"
        "from harness.errors import HostError\n"
        "class Lab:\n"
        "    failure = None\n"
        "    def pytest_runtestloop(self, session):\n"
        "        self.failure = HostError('no QEMU', hint='apt-get install it')\n"
        "        raise pytest.exit.Exception('no QEMU', 6)\n"
        "def pytest_configure(config):\n"
        "    config.pluginmanager.register(Lab(), 'kmatrix')\n"
    )
    (project / "test_never_reached.py").write_text("def test() -> None: raise AssertionError\n")
    status, seen = session(project)
    assert status == Exit.LAB
    assert str(seen.failure) == "no QEMU"
    assert not seen.interrupted


def test_a_host_without_libvirt(monkeypatch: pytest.MonkeyPatch) -> None:
    front.require_libvirt()
    monkeypatch.delitem(sys.modules, "harness.guests.bindings", raising=False)
    monkeypatch.setitem(sys.modules, "libvirt", None)  # makes the import fail
    with pytest.raises(HostError, match="libvirt cannot be loaded") as caught:
        front.require_libvirt()
    assert caught.value.hint == "kmatrix doctor"
