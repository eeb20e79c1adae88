"""`python -m benchmarks.history`: what the history index costs with 90 runs of 12,000 cells.

The runs are made in a temporary folder by the generator of the tests. Prints seconds per run to index, seconds of the
queries that a report asks, and the size of the file.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from tabulate import tabulate

from benchmarks.measure import ROOT
from harness.history import History
from harness.history.index import FILE
from harness.matrix.ledger import FILE as LEDGER

Row = tuple[str, float, str]
"""What, figure, unit."""


def make_runs(reports: Path, runs: int, kernels: int, scenarios: int) -> int:
    """Write that many nights below `reports`, one of twenty differing; returns the cells of one night."""
    sys.path.insert(0, str(ROOT / "tests"))
    import ledgers

    labels = tuple(f"debian-6.{number}" for number in range(kernels))
    names = tuple(f"scenario{number}" for number in range(scenarios))
    written: dict[int, Path] = {}
    for number in range(runs):
        seed = number // 20 % 4 if number % 20 == 0 else 0
        began = datetime(2026, 8, 1, 2, 17, tzinfo=UTC) + timedelta(days=number)
        facts = ledgers.run_facts(labels, names, kernels * (kernels + 1) * scenarios)
        facts |= {
            "id": f"{began:%Y%m%d-%H%M%S}-beef",
            "started": began.isoformat(),
            "finished": began.isoformat(),
        }
        tried = [] if seed in written else list(ledgers.attempts(labels, names, seed))
        run = ledgers.write_run(reports / facts["id"], tried, facts=facts)
        if seed in written:
            shutil.copyfile(written[seed], run / LEDGER)
        written.setdefault(seed, run / LEDGER)
    return kernels * (kernels + 1) * scenarios


def measured(what: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


def figures(reports: Path, runs: int) -> list[Row]:
    """Index everything, then ask what a report asks, three times each."""
    whole = measured(lambda: History.open(reports).close())
    again = measured(lambda: History.open(reports).close())
    newest = max(path for path in reports.iterdir() if path.is_dir())
    (newest / "results.jsonl").touch()
    one = measured(lambda: History.open(reports).close())
    with History.open(reports) as history:
        some = list(history.strip(last=1))[:30]
        asked: dict[str, Callable[[], object]] = {
            "strip of all cells, 30 runs": history.strip,
            "strip of 30 cells, 30 runs": lambda: history.strip(some),
            "flips of all cells, 30 runs": history.flips,
            "trend, 30 runs": history.trend,
            "every signature's first and last run": history.signatures,
            "what broke in the newest run": lambda: history.broke(history.runs()[-1]),
        }
        answers = [
            (what, statistics.median(measured(ask) for _ in range(3)), "s") for what, ask in asked.items()
        ]
    size = (reports / FILE).stat().st_size
    return [
        ("index of all runs, for each run", whole / runs, "s"),
        ("open with nothing new", again, "s"),
        ("open with one new run", one, "s"),
        *answers,
        ("index", size / 2**20, "MiB"),
        ("index, for each result", size / runs / len(_all(reports)), "bytes"),
    ]


def _all(reports: Path) -> list[str]:
    with History.open(reports) as history:
        return list(history.strip(last=1))


def main(
    runs: Annotated[int, typer.Option(min=1)] = 90,
    kernels: Annotated[int, typer.Option(min=1)] = 20,
    scenarios: Annotated[int, typer.Option(min=1)] = 30,
) -> None:
    """Measure, and print a table."""
    reports = Path(tempfile.mkdtemp(prefix="kmatrix-history-"))
    try:
        cells = make_runs(reports, runs, kernels, scenarios)
        typer.echo(f"{runs} runs of {cells} cells")
        typer.echo(tabulate(figures(reports, runs), headers=("what", "figure", "unit"), floatfmt=".3f"))
    finally:
        shutil.rmtree(reports)


if __name__ == "__main__":
    typer.run(main)
