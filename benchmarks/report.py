"""`python -m benchmarks.report`: how long the report of a large run takes to make, and how fast its page is.

The run is made by `tests/ledgers.py`: 20 kernels, 30 scenarios, 12,000 cells, about 15 % failing, against the night
before it. What happens in the browser is timed inside the page, by its own clock.
"""

from __future__ import annotations

import gzip
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from tabulate import tabulate

from benchmarks.measure import ROOT
from benchmarks.results import write_down
from harness.report import frames, page, verdicts
from harness.report.compare import compare
from harness.report.formats import FORMATS
from harness.report.kernel_pages import kernel_pages
from harness.report.rundir import Run, load
from harness.report.surface_tables import size
from harness.report.write import summarise
from harness.surface.record import read, write
from harness.verdict import known
from tests import ledgers

HEAD = ("what", "median", "most", "CPU", "unit", "goal")
"""Two are by the clock; `CPU` is the median of what it took of a processor, which is all there is to it where nothing
else runs."""
Row = tuple[str, float, float, float | None, str, str]
_MAKINGS = 5
"""How often a report is made."""
_LOADINGS = 7
_CHANGES = 6
"""How often each of the views is gone to."""
_CHROMIUM = "chromium"

FILTERS = (
    "#q=verdict%3Abreakage",
    "#q=scenario%3Atcp*",
    "#q=dst%3A%3E%3D6.16",
    "#q=-verdict%3Acompatible%20src%3A%3C6.10",
    "#",
)
PIVOTS = (
    "#rows=scenario&cols=destination",
    "#rows=source&cols=scenario",
    "#rows=destination&cols=source",
    "#rows=scenario&cols=userland",
    "#",
)

# Until the frame that shows the change has been drawn: the one after the frame in which it was worked out.
_CHANGE = """(hash) => new Promise((done) => {
  const began = performance.now();
  addEventListener("hashchange", () => requestAnimationFrame(() => requestAnimationFrame(
    () => done(performance.now() - began))), { once: true });
  location.hash = hash;
})"""

# From the start of navigation until an arrow key has moved the grid's focus, tried as soon as there is a grid.
_FIRST_MOVE = """(() => {
  const attempt = () => {
    const square = document.querySelector('[role="grid"] [tabindex="0"]');
    if (square) {
      square.focus();
      square.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true, cancelable: true }));
      const moved = document.activeElement;
      if (moved !== square && moved.closest('[role="grid"]')) {
        window.firstMove = performance.now();
        return;
      }
    }
    requestAnimationFrame(attempt);
  };
  attempt();
})()"""


@dataclass(frozen=True)
class Taken:
    """How long one thing took, each time."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    """Of this process."""

    def row(self, what: str, goal: str = "") -> Row:
        """Its line in the table."""
        return (what, statistics.median(self.wall), max(self.wall), statistics.median(self.cpu), "s", goal)


def main() -> None:
    """Measure everything and print it."""
    with tempfile.TemporaryDirectory(prefix="kmatrix-bench-") as name:
        before, after = _runs(Path(name))
        rows = [*_making(before, after)]
        rows += _shown(after / page.FILE)
    print(tabulate(rows, headers=HEAD, floatfmt=".2f", missingval=""))
    write_down(HEAD, rows, "report-")


def _runs(base: Path) -> tuple[Path, Path]:
    """Two nights on disk, with logs of what failed and a surface for every kernel."""
    nights = ledgers.nights()
    before, after = nights.before.write(base / "before"), nights.after.write(base / "after", logs=True)
    golden = [read(path) for path in sorted((ROOT / "tests" / "golden" / "surface").glob("*.json"))]
    for number, label in enumerate(load(after).kernels):
        record = golden[number % len(golden)].labelled(label)
        # These are parts of records; whole ones have some 370 findings.
        findings = {f"{id}.{copy}": one for copy in range(6) for id, one in record.findings.items()}
        write(after / "surface" / f"{label}.json", replace(record, findings=findings))
    return before, after


def _making(before: Path, after: Path) -> Iterator[Row]:
    knowledge = known.load()
    run = load(after)
    yield ("cells", len(run.final), len(run.final), None, "", "")
    yield _timed(lambda: load(after)).row("read the run")
    yield _timed(lambda: verdicts.judge(_afresh(run), knowledge)).row("judge", "under 2")
    cells = frames.cell_states(run, verdicts.judge(run, knowledge))
    earlier = load(before)
    since = compare(earlier, frames.cell_states(earlier, verdicts.judge(earlier, knowledge)), run, cells)
    yield _timed(lambda: page.render(run, cells, comparison=since)).row("render index.html", "under 3")
    yield _timed(lambda: [one.write(run, cells, since) for one in FORMATS.values()]).row(
        "render every format"
    )
    yield _timed(lambda: summarise(after, before)).row("read, judge and compare two runs")
    text = page.render(run, cells, comparison=since).encode()
    (after / page.FILE).write_bytes(text)
    small = len(gzip.compress(text)) / 1000
    yield ("index.html", len(text) / 1000, len(text) / 1000, None, "kB", "under 1000")
    yield ("  compressed", small, small, None, "kB", "")
    tables = size(kernel_pages(run, knowledge).tables) / 1000
    yield ("  of it the surfaces of 20 kernels", tables, tables, None, "kB", "under 150")


def _afresh(run: Run) -> Run:
    """The same run with nothing worked out of it yet."""
    return Run(run.directory, run.facts, run.attempts)


def _timed(work: Callable[[], object]) -> Taken:
    wall, cpu = [], []
    for _ in range(_MAKINGS):
        at, spent = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - at)
        cpu.append(time.process_time() - spent)
    return Taken(tuple(wall), tuple(cpu))


def _shown(file: Path) -> Iterator[Row]:
    with _chromium() as browser:
        paints, moves = zip(*(_load(browser, file) for _ in range(_LOADINGS)), strict=True)
        yield _milliseconds("first contentful paint", paints, "under 1000")
        yield _milliseconds("an arrow key moves the focus", moves, "under 1000")
        for what, views in (("filter", FILTERS), ("pivot", PIVOTS)):
            with _opened(browser, file) as shown:
                spent = _Processor(shown)
                wall, cpu = [], []
                for view in views * _CHANGES:
                    before = spent.milliseconds
                    wall.append(shown.evaluate(_CHANGE, view))
                    cpu.append(spent.milliseconds - before)
                yield _milliseconds(f"a {what}, until it is drawn", wall, "under 100", cpu)


class _Processor:
    """What the page's thread has taken of a processor, which does not depend on what else the machine does."""

    def __init__(self, shown: Page) -> None:
        self._session = shown.context.new_cdp_session(shown)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})

    @property
    def milliseconds(self) -> float:
        """Of all tasks until now: script, style, layout, paint."""
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        return 1000 * next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")


def _milliseconds(what: str, wall: Sequence[float], goal: str, cpu: Sequence[float] | None = None) -> Row:
    spent = statistics.median(cpu) if cpu is not None else None
    return (what, statistics.median(wall), max(wall), spent, "ms", goal)


@contextmanager
def _chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window. Raises `RuntimeError` where there is none."""
    program = shutil.which(_CHROMIUM)
    if program is None:
        raise RuntimeError("there is no chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        # As root its sandbox does not start.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def _opened(browser: Browser, file: Path, script: str | None = None) -> Iterator[Page]:
    """The page in a window of its own, loaded; whatever it logs as an error is raised as `RuntimeError`."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    try:
        shown = context.new_page()
        wrong: list[str] = []
        shown.on("pageerror", lambda error: wrong.append(str(error)))
        if script is not None:
            shown.add_init_script(f"addEventListener('DOMContentLoaded', () => {script})")
        shown.goto(file.as_uri())
        shown.wait_for_selector('[role="grid"] [tabindex="0"]')
        yield shown
        if wrong:
            raise RuntimeError(f"the page failed: {wrong[0]}")
    finally:
        context.close()


def _load(browser: Browser, file: Path) -> tuple[float, float]:
    """Milliseconds from the start of navigation to the first paint and to the first move."""
    with _opened(browser, file, _FIRST_MOVE) as shown:
        shown.wait_for_function(
            "window.firstMove && performance.getEntriesByName('first-contentful-paint').length"
        )
        return shown.evaluate(
            "[performance.getEntriesByName('first-contentful-paint')[0].startTime, window.firstMove]"
        )


if __name__ == "__main__":
    main()
