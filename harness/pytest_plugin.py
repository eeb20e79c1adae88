"""The pytest plugin: one cell is one item, so `-k`, `-m`, `-x`, `--lf` and `--junitxml` mean what they always mean.

The items that are left after selection, and the controls that they need, become a plan; workers carry it out, and
every item reports its cell when the cell has its last word.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import signal
import sys
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

# Before anything imports them: their asserts are what a failing check shows.
pytest.register_assert_rewrite("harness.witness", "harness.scenario", "scenarios")

from harness.cache import Cache
from harness.errors import ConfigError, Exit, HarnessError
from harness.matrix import plan, workloads
from harness.matrix.cell import Cell, Confirm, Isolation, Outcome
from harness.matrix.conductor import Result
from harness.matrix.ledger import Attempt
from harness.matrix.workloads import Subject
from harness.report.sanitize import visible
from harness.report.terminal import wants_colour
from harness.report.write import Summary, write_reports
from harness.session import rundir
from harness.session.progress import Progress, make_progress
from harness.session.remedies import try_remedies
from harness.session.selection import QUICK, Options, Selection, choose, resumed
from harness.session.session import open_run

SCENARIOS = "scenarios"
REPORTS = "reports"
_NAME = "kmatrix"


_JUDGED = {Outcome.PASS, Outcome.FAIL, Outcome.FLAKY}
"""Outcomes that say that the lab itself worked."""


class LabBroken(Exception):
    """A cell ended in the lab's own error."""


class StateLost(Exception):
    """A cell failed before its check."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The lab's options, the same as those of `kmatrix run`."""
    group = parser.getgroup("kmatrix", "kernels, userlands and how to run them")
    group.addoption("--kmatrix-config", metavar="FILE", help="instead of kernels.yaml beside conftest.py")
    group.addoption("--profile", default=QUICK, help="a profile of kernels.yaml (default: quick)")
    group.addoption("--kernels", metavar="GLOBS", help="labels, comma separated, instead of the profile's")
    group.addoption("--userlands", metavar="GLOBS", help="instead of the profile's")
    group.addoption("--scenarios", metavar="GLOBS", help="instead of the profile's")
    group.addoption("--suite", metavar="NAME", help="instead of the scenarios here: zdtm, CRIU's own tests")
    group.addoption("--criu", metavar="DIR", help="a CRIU of your own: an installed prefix or a built tree")
    group.addoption("--jobs", type=int, metavar="N", help="guests at once (default: as many as fit)")
    group.addoption(
        "--isolation",
        choices=[str(i) for i in Isolation],
        default=str(Isolation.RESET),
        help="default: reset",
    )
    group.addoption(
        "--confirm",
        choices=[str(c) for c in Confirm],
        default=str(Confirm.CELL),
        help="what gets a fresh boot of its own when it fails: every cell, or every cause once",
    )
    group.addoption("--run-dir", metavar="DIR", help="the run's folder (default: a new one under reports/)")
    group.addoption("--try-remedies", action="store_true", help="then run known reds with what should help")
    group.addoption("--resume", action="store_true", help="go on with --run-dir, or the last unfinished run")
    group.addoption(
        "--fail-on",
        choices=["none", "breakage", "any"],
        help="what makes the exit code red: nothing, failed cells, or flaky ones and lab errors too",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Keep what the session will need."""
    config.pluginmanager.register(Matrix(config), _NAME)
    for marker in ("baseline: the control without a migration", "cold: cells of mode cold"):
        config.addinivalue_line("markers", marker)


def matrix_of(config: pytest.Config) -> Matrix:
    """The plugin's state for this session."""
    matrix = config.pluginmanager.get_plugin(_NAME)
    assert isinstance(matrix, Matrix)
    return matrix


def options_of(config: pytest.Config) -> Options:
    """The command line as the lab understands it."""

    def path(name: str) -> Path | None:
        value = config.getoption(name)
        return Path(value).absolute() if value else None

    return Options(
        config=path("--kmatrix-config") or config.rootpath / "kernels.yaml",
        scenario_directory=config.rootpath / SCENARIOS,
        profile=config.getoption("--profile"),
        kernels=config.getoption("--kernels"),
        userlands=config.getoption("--userlands"),
        scenarios=config.getoption("--scenarios"),
        suite=config.getoption("--suite"),
        criu=path("--criu"),
        jobs=config.getoption("--jobs"),
        isolation=Isolation(config.getoption("--isolation")),
        confirm=Confirm(config.getoption("--confirm")),
        run_dir=path("--run-dir"),
        resume=config.getoption("--resume"),
        try_remedies=config.getoption("--try-remedies"),
    )


class ScenarioFile(pytest.Module):
    """A scenario's module; its items are the cells of that scenario."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item for every cell of the selection."""
        selection = matrix_of(self.config).selection
        if self.path.stem not in selection.scenarios:
            return
        module: ModuleType = self.obj
        reference = workloads.reference(self.path, module)
        for tag in reference.scenario.tags:
            self.config.addinivalue_line("markers", f"{tag}: a tag of scenarios")
        cells = plan.product(selection.userlands, selection.modes, [reference.name], selection.kernels)
        for cell in cells:
            yield CellItem.from_parent(self, name=str(cell), cell=cell, reference=reference)


class SuiteFile(pytest.File):
    """A suite's file; its items are the cells of its tests."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item for every cell of the selection."""
        selection = matrix_of(self.config).selection
        if selection.suite is None:
            return
        self.config.addinivalue_line("markers", f"{self.path.stem}: a suite of tests")
        for name in selection.scenarios:
            reference = selection.suite.cases[name]
            for cell in plan.product(selection.userlands, selection.modes, [name], selection.kernels):
                yield CellItem.from_parent(self, name=str(cell), cell=cell, reference=reference)


class CellItem(pytest.Item):
    """One cell."""

    def __init__(self, *, cell: Cell, reference: Subject, **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]  # pytest's own constructor arguments
        self.cell = cell
        self.reference = reference
        self.result: Result | None = None
        for tag in reference.scenario.tags:
            self.add_marker(tag)
        self.add_marker("baseline" if cell.is_baseline else cell.mode)
        # -k knows neither the arrow nor which of two kernels is the source: `-k from:debian-6.1:`
        self.extra_keyword_matches |= {f"from:{cell.source}:", f"to:{cell.destination}:"}

    def runtest(self) -> None:
        """Tell what became of the cell."""
        result = self.result
        assert result is not None, f"{self.cell} was never carried out"
        attempt = result.attempt
        self.user_properties += [("outcome", str(attempt.outcome)), ("phase", str(attempt.phase))]
        self.user_properties += [("attempts", str(attempt.attempt)), ("signature", attempt.signature or "")]
        said = f"{attempt.phase}: {attempt.error}"
        if attempt.outcome is Outcome.SKIP:
            pytest.skip(attempt.error or "")
        if attempt.outcome is Outcome.FLAKY:
            pytest.xfail(f"flaky: failed once and passed once: {said}")
        if attempt.outcome is Outcome.ERROR:
            raise LabBroken(said) from result.failure
        if attempt.outcome is Outcome.FAIL:
            if isinstance(result.failure, AssertionError):
                raise result.failure
            raise StateLost(said)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        """One line for CRIU's failures, pytest's own introspection for a check's."""
        del style
        if isinstance(excinfo.value, StateLost | LabBroken):
            return visible(str(excinfo.value))
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where pytest says the item is."""
        return self.path, 0, str(self.cell)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Scenario modules and suites below `scenarios/`."""
    directory = parent.config.rootpath / SCENARIOS
    if file_path.parent == directory and workloads.is_scenario(file_path):
        return ScenarioFile.from_parent(parent, path=file_path)
    if file_path.parent == directory and file_path.suffix == ".yaml":
        return SuiteFile.from_parent(parent, path=file_path)
    return None


class Matrix:
    """The plugin's state for one pytest session."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._options: Options | None = None
        self._selection: Selection | None = None
        self.directory: Path | None = None
        """The run's folder, once there is one."""
        self.failure: HarnessError | None = None
        """Why the lab could not work, if it could not."""
        self.outcomes: list[Outcome] = []
        self.summary: Summary | None = None
        """What the run amounts to, once its reports are written."""

    @property
    def options(self) -> Options:
        """The command line's wishes; for a resumed run those with which it began. Raises `ConfigError`."""
        if self._options is None:
            options = options_of(self._config)
            if options.resume:
                found = rundir.to_resume(options.run_dir, self._config.rootpath / REPORTS)
                record = rundir.read(found)
                assert record is not None
                options = resumed(dataclasses.replace(options, run_dir=found), record)
            self._options = options
        return self._options

    @property
    def selection(self) -> Selection:
        """What the run is to do; read once. Raises `pytest.UsageError`."""
        if self._selection is None:
            try:
                self._selection = choose(self.options, Cache())
            except ConfigError as error:
                raise pytest.UsageError(_told(error)) from error
            except HarnessError as error:
                self.failure = error
                raise pytest.exit.Exception(_told(error), error.exit_code) from error
        return self._selection

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """A mistake in the selection is told once, before anything is collected."""
        directory = session.config.rootpath / SCENARIOS
        for argument in session.config.args:
            path = Path(argument.partition("::")[0]).absolute()
            if path == directory or directory in path.parents:
                assert self.selection

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Carry the cells out; whatever else was collected runs as ever."""
        cells = [item for item in session.items if isinstance(item, CellItem)]
        others = [item for item in session.items if not isinstance(item, CellItem)]
        if not cells or session.config.option.collectonly:
            return (yield)
        if session.testsfailed and not session.config.option.continue_on_collection_errors:
            raise session.Interrupted(f"{session.testsfailed} errors during collection")
        session.items = others
        yield
        session.items = others + list(cells)
        try:
            self._run(session, cells)
        except ConfigError as error:
            raise pytest.UsageError(_told(error)) from error
        except HarnessError as error:
            self.failure = error
            raise pytest.exit.Exception(_told(error), error.exit_code) from error
        return True

    def _run(self, session: pytest.Session, items: list[CellItem]) -> None:
        by_cell = {item.cell: item for item in items}
        planned = plan.with_controls(by_cell)
        # Controls of a scenario whose every item was selected are items themselves; only -k and --lf leave some out.
        references = {item.reference.name: item.reference for item in items}
        options = self.options
        progress = make_progress(quiet=self._config.pluginmanager.has_plugin("terminalreporter"))
        reports = session.config.rootpath / REPORTS
        try:
            with (
                _sigterm_interrupts(),
                open_run(options, self.selection, references, planned, reports, progress.say) as run,
            ):
                self.directory = run.directory
                progress.start(run.planned)
                with progress:
                    told = self._results(run.known.values(), run.results(), progress)
                    _report_items(
                        session,
                        ((by_cell[r.attempt.cell], r) for r in told if r.attempt.cell in by_cell),
                    )
                if options.try_remedies:
                    try_remedies(run, progress.say)
        finally:
            if self.directory is not None:
                self.summary = write_reports(self.directory)

    def _results(
        self, known: Iterable[Attempt], fresh: Iterable[Result], progress: Progress
    ) -> Iterator[Result]:
        for result in itertools.chain((Result(attempt) for attempt in known), fresh):
            self.outcomes.append(result.attempt.outcome)
            progress.tell(result.attempt)
            yield result

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The matrix, below pytest's own report."""
        if self.summary is not None:
            terminalreporter.section("matrix")
            terminalreporter.write(self.summary.text(colour=terminalreporter.hasmarkup))

    def pytest_unconfigure(self) -> None:
        """The matrix, where pytest's own report is switched off."""
        if self.summary is not None and not self._config.pluginmanager.has_plugin("terminalreporter"):
            sys.stdout.write(self.summary.text(colour=wants_colour(sys.stdout, os.environ)))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """With `--fail-on` the exit code says what was asked, not how many tests failed."""
        fail_on = session.config.getoption("--fail-on")
        if fail_on is None or exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            return
        if self.outcomes and Outcome.ERROR in self.outcomes and not _JUDGED & set(self.outcomes):
            self.failure = HarnessError(
                "no cell could be carried out: see the errors above", hint="kmatrix doctor"
            )
            session.exitstatus = int(Exit.LAB)
            return
        red = {Outcome.FAIL} if fail_on == "breakage" else {Outcome.FAIL, Outcome.ERROR, Outcome.FLAKY}
        broken = fail_on != "none" and any(outcome in red for outcome in self.outcomes)
        session.exitstatus = int(Exit.BREAKAGE if broken else Exit.OK)


def _report_items(session: pytest.Session, results: Iterator[tuple[CellItem, Result]]) -> None:
    """Run pytest's protocol for each item as its result comes; pytest wants to know the next item beforehand."""
    waiting: CellItem | None = None
    for item, result in results:
        item.result = result
        if waiting is not None:
            _report(session, waiting, item)
        waiting = item
    if waiting is not None:
        _report(session, waiting, None)


def _report(session: pytest.Session, item: CellItem, following: CellItem | None) -> None:
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does: no guest left behind, the ledger whole."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _told(error: HarnessError) -> str:
    return f"{error}\n{error.hint}" if error.hint else str(error)
