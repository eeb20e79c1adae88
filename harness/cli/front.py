"""`kmatrix run` as a pytest session: its command line, what it said, and the exit code that it comes to."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import pytest

from harness.errors import Exit, HarnessError, HostError
from harness.matrix.cell import Confirm, Isolation

PLUGIN = "harness.pytest_plugin"
NOTHING_SELECTED = int(pytest.ExitCode.NO_TESTS_COLLECTED)


class FailOn(StrEnum):
    """What makes the exit code red."""

    NONE = "none"
    BREAKAGE = "breakage"
    ANY = "any"


@dataclass(frozen=True)
class Wishes:
    """The options of `kmatrix run`; None where the profile, the configuration or pytest decides."""

    config: Path | None = None
    profile: str | None = None
    kernels: str | None = None
    userlands: str | None = None
    scenarios: str | None = None
    suite: str | None = None
    criu: Path | None = None
    jobs: int | None = None
    isolation: Isolation | None = None
    confirm: Confirm | None = None
    run_dir: Path | None = None
    resume: bool = False
    try_remedies: bool = False
    fail_on: FailOn = FailOn.NONE
    keyword: str | None = None
    mark: str | None = None
    exit_first: bool = False
    last_failed: bool = False
    junit: Path | None = None
    more: tuple[str, ...] = ()
    """Handed to pytest as they are."""


def pytest_arguments(root: Path, wishes: Wishes) -> list[str]:
    """The pytest command line for a run of the checkout at `root`.

    pytest's own reporter is silenced unless arguments for pytest are given, which may be about it.
    """
    valued: dict[str, object] = {
        "--kmatrix-config": wishes.config,
        "--profile": wishes.profile,
        "--kernels": wishes.kernels,
        "--userlands": wishes.userlands,
        "--scenarios": wishes.scenarios,
        "--suite": wishes.suite,
        "--criu": wishes.criu,
        "--jobs": wishes.jobs,
        "--isolation": wishes.isolation,
        "--confirm": wishes.confirm,
        "--run-dir": wishes.run_dir,
        "--fail-on": wishes.fail_on,
        "--junitxml": wishes.junit,
    }
    return [
        *("-p", PLUGIN, f"--rootdir={root}"),
        *(() if wishes.more else ("-p", "no:terminal")),
        *(f"{name}={value}" for name, value in valued.items() if value is not None),
        *(("-k", wishes.keyword) if wishes.keyword is not None else ()),
        *(("-m", wishes.mark) if wishes.mark is not None else ()),
        *(["--resume"] * wishes.resume),
        *(["--try-remedies"] * wishes.try_remedies),
        *(["-x"] * wishes.exit_first),
        *(["--lf"] * wishes.last_failed),
        *wishes.more,
        str(root / "scenarios"),
    ]


@dataclass
class Watcher:
    """A pytest plugin that remembers why a session ended early."""

    interrupted: bool = False
    """By a person or a signal."""
    unread: list[str] = field(default_factory=list)
    """What could not be collected: one line each."""
    failure: HarnessError | None = None
    """Why the lab could not work."""

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Tell Ctrl-C from pytest's own way of stopping, which is a subclass of it."""
        self.interrupted = excinfo.type is KeyboardInterrupt

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep the last line about a scenario that cannot be imported."""
        if report.failed:
            lines = [line.removeprefix("E ").strip() for line in report.longreprtext.splitlines()]
            reason = next((line for line in reversed(lines) if line), "cannot be imported")
            self.unread.append(f"{report.nodeid}: {reason}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Keep the lab's error, which the plugin knows."""
        failure = getattr(session.config.pluginmanager.get_plugin("kmatrix"), "failure", None)
        if isinstance(failure, HarnessError):
            self.failure = failure


def exit_code(status: int, watcher: Watcher) -> int:
    """kmatrix's exit code for pytest's. pytest says 2 both for Ctrl-C and for a test file that cannot be imported."""
    if watcher.failure is not None:
        return watcher.failure.exit_code
    if status == pytest.ExitCode.INTERRUPTED:
        return Exit.INTERRUPTED if watcher.interrupted else Exit.USAGE
    known: dict[int, int] = {
        pytest.ExitCode.OK: Exit.OK,
        pytest.ExitCode.TESTS_FAILED: Exit.BREAKAGE,
        pytest.ExitCode.INTERNAL_ERROR: Exit.LAB,
        pytest.ExitCode.USAGE_ERROR: Exit.USAGE,
        pytest.ExitCode.NO_TESTS_COLLECTED: Exit.USAGE,
    }
    return known.get(status, status)


def require_libvirt() -> None:
    """Raise `HostError` if libvirt's library or its Python binding is not there; pytest would call it wrong usage."""
    try:
        importlib.import_module("harness.guests.bindings")
    except ImportError as error:
        raise HostError(f"libvirt cannot be loaded: {error}", hint="kmatrix doctor") from error


def session(arguments: Sequence[str]) -> tuple[int, Watcher]:
    """Run pytest in this process; its exit status and what was seen."""
    watcher = Watcher()
    return int(pytest.main(list(arguments), plugins=[watcher])), watcher
