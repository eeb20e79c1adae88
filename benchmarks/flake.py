"""`python -m benchmarks.flake`: the same diagonal many times over; does any verdict change?

A verdict is a cell's outcome and whether its first attempt had to be repeated. Each repetition is an ordinary
`kmatrix run` with a folder of its own, which believes the first word on every cell; those that are finished are not run
again, so twenty runs can be had in pieces: `--runs 5` today and `--runs 20` tomorrow. `--record FILE` adds the runs
that an earlier call wrote down, on this machine or another. Ends with 1 if a verdict changed, with 2 if the lab failed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from tabulate import tabulate

from benchmarks.measure import ROOT, wall
from harness.matrix.cell import Cell, Outcome
from harness.matrix.ledger import Attempt, read
from harness.session import rundir

MISSING = "missing"
"""Stands for an outcome where a run has no last word on a cell that another run has."""


@dataclass(frozen=True)
class Verdict:
    """What one run says of one cell."""

    outcome: str
    attempts: int
    seconds: float
    """Wall time of all attempts."""
    signature: str | None = None
    """Of its error, if it has one."""

    @property
    def judged(self) -> tuple[str, bool]:
        """What must be the same in every run."""
        return self.outcome, self.attempts > 1


@dataclass(frozen=True)
class Row:
    """One cell in all runs."""

    cell: Cell
    verdicts: tuple[Verdict, ...]

    @property
    def changed(self) -> bool:
        """Whether two runs disagree."""
        return len({verdict.judged for verdict in self.verdicts}) > 1

    @property
    def outcomes(self) -> Counter[str]:
        """How often each outcome."""
        return Counter(verdict.outcome for verdict in self.verdicts)

    @property
    def signatures(self) -> list[str]:
        """Each signature once. More than one is no change of a verdict, but of its reason."""
        return list(dict.fromkeys(verdict.signature for verdict in self.verdicts if verdict.signature))

    @property
    def retried(self) -> int:
        """In how many runs one attempt was not enough."""
        return sum(verdict.attempts > 1 for verdict in self.verdicts)


def verdicts(attempts: Iterable[Attempt]) -> dict[Cell, Verdict]:
    """The last word of one run's ledger on each cell."""
    by_cell: dict[Cell, list[Attempt]] = {}
    for attempt in attempts:
        by_cell.setdefault(attempt.cell, []).append(attempt)
    found = {}
    for cell, tried in by_cell.items():
        final = next((attempt for attempt in reversed(tried) if attempt.final), None)
        outcome = MISSING if final is None else str(final.outcome)
        signature = None if final is None else final.signature
        found[cell] = Verdict(outcome, max(a.attempt for a in tried), sum(map(wall, tried)), signature)
    return found


def compare(runs: Sequence[Mapping[Cell, Verdict]]) -> list[Row]:
    """Every cell that any run knows, with what each run says of it; in the cells' order."""
    absent = Verdict(MISSING, 0, 0.0)
    cells = sorted({cell for run in runs for cell in run})
    return [Row(cell, tuple(run.get(cell, absent) for run in runs)) for cell in cells]


def shown(rows: Iterable[Row]) -> list[Row]:
    """What is worth a line: each migration, and a baseline that did not simply pass every time."""
    return [
        row
        for row in rows
        if not row.cell.is_baseline or row.changed or row.retried or set(row.outcomes) != {str(Outcome.PASS)}
    ]


def table(rows: Sequence[Row], *, markdown: bool = False) -> str:
    """The rows as text; only outcomes that occurred get a column."""
    seen = {outcome for row in rows for outcome in row.outcomes}
    columns = [name for name in (*map(str, Outcome), MISSING) if name in seen]
    lines = [
        (
            row.cell.scenario + (" (baseline)" if row.cell.is_baseline else ""),
            *(row.outcomes[name] or "" for name in columns),
            row.retried or "",
            round(statistics.fmean(verdict.seconds for verdict in row.verdicts), 1),
            round(max(verdict.seconds for verdict in row.verdicts), 1),
            "changed" if row.changed else f"{n} reasons" if (n := len(row.signatures)) > 1 else "",
        )
        for row in rows
    ]
    headers = ("scenario", *columns, "tried twice", "s, mean", "s, most", "verdict")
    return tabulate(lines, headers=headers, tablefmt="github" if markdown else "simple", floatfmt=".1f")


def kernels(attempts: Iterable[Attempt]) -> set[str]:
    """Which kernels the attempts were made on, by hash: runs on different ones cannot be compared."""
    return {identity.sha256 for attempt in attempts for identity in attempt.kernels.values()}


def repeat(directory: Path, arguments: Sequence[str]) -> None:
    """One run of kmatrix, or the rest of one. Raises `RuntimeError` with its last words if it does not finish."""
    begun = rundir.read(directory) is not None
    command = [sys.executable, "-m", "harness", "run", "--run-dir", str(directory), *arguments]
    directory.parent.mkdir(parents=True, exist_ok=True)
    log = directory.with_suffix(".log")
    with log.open("a") as output:
        process = subprocess.Popen(
            [*command, *(["--resume"] if begun else [])], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        )
        process.wait()
    if not finished(directory):
        raise RuntimeError(f"{directory.name} ended with {process.returncode}:\n{log.read_text()[-2000:]}")


def finished(directory: Path) -> bool:
    """Whether a run's folder holds all of its run."""
    record = rundir.read(directory)
    return record is not None and record["finished"] is not None


@dataclass(frozen=True)
class Record:
    """What `write` has put into a file."""

    runs: tuple[Mapping[Cell, Verdict], ...]
    builds: frozenset[str]
    """Of the kernel, by hash."""


def recorded(path: Path) -> Record:
    """Read it. Raises `ValueError` if it is no such file."""
    try:
        record = json.loads(path.read_text())
        cells = {Cell.parse(row["cell"]): row for row in record["cells"]}
        runs = (
            {cell: _verdict(row, number) for cell, row in cells.items()} for number in range(record["runs"])
        )
        return Record(tuple(runs), frozenset(record["builds"]))
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError(f"{path} is no record of such runs: {error!r}") from error


def _verdict(row: Mapping[str, Any], number: int) -> Verdict:
    outcome, attempts, seconds, reason = row["verdicts"][number]
    return Verdict(outcome, attempts, seconds, None if reason is None else row["signatures"][reason])


def _row(row: Row) -> dict[str, object]:
    """A reason is a number in `signatures`: most are the same in every run."""
    known = row.signatures
    return {
        "cell": str(row.cell),
        "signatures": known,
        "verdicts": [
            (v.outcome, v.attempts, round(v.seconds, 2), known.index(v.signature) if v.signature else None)
            for v in row.verdicts
        ],
    }


def write(rows: Sequence[Row], kernel: str, builds: Iterable[str], runs: int) -> Path:
    """What every run said, as JSON beside the other figures; returns the file."""
    now = datetime.now(UTC)
    record = {
        "made": now.isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "kernel": kernel,
        "builds": sorted(builds),
        "runs": runs,
        "changed": [str(row.cell) for row in rows if row.changed],
        "cells": [_row(row) for row in rows],
    }
    path = ROOT / "benchmarks" / "results" / f"flake-{now:%Y%m%d-%H%M%S}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, ensure_ascii=False) + "\n")
    return path


def main(
    runs: Annotated[int, typer.Option(min=1, help="How many in all, finished ones included.")] = 20,
    scenarios: Annotated[str, typer.Option(help="Globs, comma separated.")] = "*",
    kernel: Annotated[str, typer.Option(help="The kernel's label.")] = "debian-6.12",
    userland: Annotated[str, typer.Option(help="The userland's name.")] = "trixie",
    jobs: Annotated[int | None, typer.Option(min=1, help="Guests at once in each run.")] = None,
    directory: Annotated[Path, typer.Option(help="Where the runs' folders are.")] = ROOT
    / "reports"
    / "flake",
    record: Annotated[
        list[Path] | None, typer.Option(help="Runs that were written down earlier, to be compared as well.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table for the docs.")] = False,
) -> None:
    """Run the diagonal many times and say whether any verdict changed."""
    # nothing is tried twice: a failure that a second try would not give again is what is looked for
    arguments = ["--kernels", kernel, "--userlands", userland, "--scenarios", scenarios, "--confirm", "none"]
    arguments += [] if jobs is None else ["--jobs", str(jobs)]
    try:
        records = {path: recorded(path) for path in record or ()}
    except (OSError, ValueError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    earlier = [run for one in records.values() for run in one.runs]
    if len(earlier) + runs < 2:
        typer.echo("one run has nothing to be compared with: give --runs 2 or more, or a --record", err=True)
        raise typer.Exit(2)
    folders = [directory.absolute() / f"run-{number:02}" for number in range(1, runs + 1)]
    for folder in folders:
        if not finished(folder):
            typer.echo(f"{folder.name} of {runs}", err=True)
            try:
                repeat(folder, arguments)
            except RuntimeError as error:
                typer.echo(str(error), err=True)
                raise typer.Exit(2) from error
    ledgers = [list(read(folder)) for folder in folders]
    builds = kernels(attempt for ledger in ledgers for attempt in ledger)
    if len(builds) > 1:
        typer.echo(f"the runs in {directory} were made on different kernels; begin anew elsewhere", err=True)
        raise typer.Exit(2)
    for path, one in records.items():
        if one.builds != builds:
            typer.echo(
                f"{path} was made on another build of {kernel}: a change may be the kernel's", err=True
            )
    here = [verdicts(ledger) for ledger in ledgers]
    rows = compare([*earlier, *here])
    changed = sum(row.changed for row in rows)
    typer.echo(table(shown(rows), markdown=markdown))
    total = len(earlier) + len(here)
    typer.echo(f"\n{len(rows)} cells, {total} runs: {changed or 'no'} verdict{'s' * (changed > 1)} changed")
    written = write(compare(here), kernel, builds, len(here))
    typer.echo(f"the runs of {directory} are written to {written.relative_to(ROOT)}", err=True)
    raise typer.Exit(1 if changed else 0)


if __name__ == "__main__":
    typer.run(main)
