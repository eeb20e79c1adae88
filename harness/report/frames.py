"""The ledger as pandas frames: final cell states, and the squares of the matrix counted from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from harness.matrix.cell import Outcome
from harness.matrix.ledger import Attempt
from harness.report.rundir import Run
from harness.verdict.signature import normalize

COLUMNS = (
    "cell",
    "userland",
    "mode",
    "scenario",
    "source",
    "destination",
    "baseline",
    "diagonal",
    "outcome",
    "phase",
    "error",
    "signature",
    "attempts",
    "isolation",
    "seconds",
    "image_bytes",
    "criu",
    "accelerator",
    "cpu",
)
_RANK = {str(outcome): outcome.rank for outcome in Outcome}
_BY_RANK = {rank: outcome for outcome, rank in _RANK.items()}
SQUARE = ["userland", "source", "destination"]


@dataclass(frozen=True)
class Cause:
    """Cells that ended alike: same phase, same signature, same worst outcome."""

    outcome: Outcome
    phase: str
    signature: str
    error: str
    """The first true error line of one of them, untrusted."""
    cells: tuple[str, ...]


def cell_states(run: Run) -> pd.DataFrame:
    """One row a cell that has its last word, in the plan's order of kernels; `COLUMNS` even without any."""
    tries: dict[object, int] = {}
    for attempt in run.attempts:
        tries[attempt.cell] = max(tries.get(attempt.cell, 0), attempt.attempt)
    position = {label: number for number, label in enumerate(run.kernels)}
    rows = [_row(attempt, tries[attempt.cell]) for attempt in run.final.values()]
    rows.sort(
        key=lambda r: (r[1], not r[6], r[2], r[3], position.get(str(r[4]), 0), position.get(str(r[5]), 0))
    )
    # Text stays Python's own: pandas' string types refuse the lone surrogates that a guest can cause.
    frame = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    return frame.astype({"baseline": bool, "diagonal": bool, "seconds": float, "image_bytes": "Int64"})


def _row(attempt: Attempt, tries: int) -> tuple[object, ...]:
    cell = attempt.cell
    bad = attempt.outcome is not Outcome.PASS
    signature = attempt.signature or (normalize(attempt.error) if attempt.error and bad else None)
    wall = [value for phase, value in attempt.seconds.items() if phase != "guest"]
    return (
        str(cell), cell.userland, cell.mode, cell.scenario, cell.source, cell.destination, cell.is_baseline,
        cell.is_diagonal, str(attempt.outcome), str(attempt.phase), attempt.error, signature, tries,
        str(attempt.isolation), round(sum(wall), 3), attempt.image_bytes, attempt.criu, attempt.accelerator,
        attempt.cpu,
    )  # fmt: skip


def squares(cells: pd.DataFrame, *, baselines: bool = False) -> pd.DataFrame:
    """Cells counted by userland, source and destination: `passed`, `total`, `worst`.

    `baselines` counts those controls instead; they stand on the diagonal of a matrix of their own.
    """
    chosen = cells[cells["baseline"] == baselines]
    ranked = chosen.assign(rank=chosen["outcome"].map(_RANK), good=chosen["outcome"] == str(Outcome.PASS))
    counted = ranked.groupby(SQUARE, sort=False).agg(
        passed=("good", "sum"), total=("good", "size"), rank=("rank", "max")
    )
    counted["worst"] = counted.pop("rank").map(_BY_RANK)
    return counted


def lookup(counted: pd.DataFrame) -> dict[tuple[str, str, str], tuple[int, int, str]]:
    """`squares` by (userland, source, destination): passed, total, worst outcome."""
    return {key: (row[0], row[1], row[2]) for key, *row in counted.itertuples(name=None)}


def causes(cells: pd.DataFrame) -> list[Cause]:
    """Why cells did not pass: grouped by phase and signature, worst first, then by how many they hit."""
    groups: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    columns = ("outcome", "phase", "signature", "error", "cell")
    for outcome, phase, signature, error, cell in zip(*(cells[name] for name in columns), strict=True):
        if outcome != str(Outcome.PASS):
            groups.setdefault((outcome, phase, _text(signature)), []).append((_text(error), cell))
    found = [
        Cause(Outcome(outcome), phase, signature, members[0][0], tuple(cell for _, cell in members))
        for (outcome, phase, signature), members in groups.items()
    ]
    return sorted(
        found, key=lambda cause: (-cause.outcome.rank, -len(cause.cells), cause.phase, cause.signature)
    )


def counts(outcomes: Iterable[str]) -> dict[Outcome, int]:
    """How many of each outcome, every outcome present."""
    tally = dict.fromkeys(Outcome, 0)
    for outcome in outcomes:
        tally[Outcome(outcome)] += 1
    return tally


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
