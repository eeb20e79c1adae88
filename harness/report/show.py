"""All evidence of one cell, for `kmatrix show CELL`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from harness.errors import ConfigError
from harness.matrix.cell import Cell
from harness.matrix.ledger import Attempt
from harness.report.excerpt import excerpt
from harness.report.rundir import Run, load
from harness.report.sanitize import visible
from harness.report.terminal import GLYPHS
from harness.report.verdicts import judge
from harness.verdict.known import Breakage
from harness.verdict.known import load as load_known
from harness.verdict.verdict import Judgement


def show(run_dir: Path, name: str) -> str:
    """Every attempt at the cell with its outcome, times, identities, logs and what they say; safe to print.

    Raises ConfigError if the name is no cell or the run has no such cell, HarnessError if there is no run.
    """
    run = load(run_dir)
    try:
        cell = Cell.parse(name)
    except ValueError as error:
        raise ConfigError(visible(str(error))) from error
    attempts = [attempt for attempt in run.attempts if attempt.cell == cell]
    if not attempts:
        raise _unknown(run, cell)
    lines = [visible(str(cell)), ""]
    if cell in run.final:
        known = load_known()
        judgement = judge(run, known)[cell]
        lines += [*_judgement(judgement, known.entries.get(judgement.known or "")), ""]
    for attempt in attempts:
        lines += [*_attempt(run, attempt), ""]
    if cell not in run.final:
        lines += ["No attempt is its last word yet.", ""]
    return "\n".join(lines)


def _judgement(judgement: Judgement, known: Breakage | None) -> Iterator[str]:
    yield f"{judgement.verdict}: {visible(judgement.why)}"
    facts = {
        "direction": str(judgement.direction),
        "blame": judgement.blame and str(judgement.blame),
        **_known(known),
        "looks like": ", ".join(judgement.looks_like),
        "interface": judgement.interface,
        "helps": judgement.remedy,
        "tried": judgement.remedied,
        "settle": judgement.settle,
    }
    for key, value in facts.items():
        if value:
            yield f"  {key:<12}{visible(value)}"


def _known(entry: Breakage | None) -> dict[str, str]:
    if entry is None:
        return {}
    return {
        "known": f"{entry.id}: {entry.title}",
        "cause": entry.cause,
        "fixed in": entry.fixed.text,
        "sources": ", ".join(entry.sources),
    }


def _unknown(run: Run, cell: Cell) -> ConfigError:
    known = {str(attempt.cell) for attempt in run.attempts}
    near = difflib.get_close_matches(str(cell), known, 3, 0.6)
    hint = "near it: " + ", ".join(visible(other, 200) for other in near) if near else None
    return ConfigError(f"{run.name} has no cell {visible(str(cell), 200)}", hint=hint)


def _attempt(run: Run, attempt: Attempt) -> Iterator[str]:
    last = " (its last word)" if attempt.final else ""
    yield f"attempt {attempt.attempt}{last}: {GLYPHS[attempt.outcome]} {attempt.outcome} in {attempt.phase}"
    facts = {
        "error": attempt.error,
        "signature": attempt.signature,
        "started": attempt.started,
        "isolation": f"{attempt.isolation}, slot {attempt.slot}",
        "seconds": ", ".join(f"{phase} {value:.2f}" for phase, value in attempt.seconds.items()),
        "image": f"{attempt.image_bytes:,} bytes" if attempt.image_bytes is not None else None,
        "criu": attempt.criu,
        "machine": f"{attempt.accelerator}, {attempt.cpu}",
    }
    for side, kernel in attempt.kernels.items():
        facts[side] = f"{kernel.release} ({kernel.version or 'no package'}) sha256 {kernel.sha256}"
    for key, value in facts.items():
        if value:
            yield f"  {key:<12}{visible(value)}"
    for name, path in attempt.logs.items():
        there = "" if run.log(path) else "  (not there)"
        yield f"  {visible(f'{name} log', 40):<13}{visible(str(run.directory / path))}{there}"
    for name, path in attempt.logs.items():
        yield from _excerpt(attempt, name, run.log(path))


def _excerpt(attempt: Attempt, name: str, path: Path | None) -> Iterator[str]:
    """What is worth reading at once."""
    found = excerpt(name, path, attempt.error)
    if found is None:
        return
    yield ""
    yield f"  --- {found.title}"
    for number, line in enumerate(found.lines):
        yield f"  {'>' if number == found.marked else '|'} {line}"
