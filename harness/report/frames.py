"""The ledger as pandas frames: final cell states, and the squares of the matrix counted from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from harness.matrix.cell import Cell, Outcome
from harness.matrix.ledger import Attempt
from harness.report.rundir import Run
from harness.verdict.signature import normalize
from harness.verdict.verdict import Judgement, Verdict

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
    "reason",
    "verdict",
    "why",
    "direction",
    "blame",
    "known",
    "looks_like",
    "interface",
    "remedy",
    "remedied",
    "settle",
)
_TOLD = ("known", "looks_like", "interface", "blame", "remedy")
"""What a cause tells of its cells' judgements."""
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
    verdicts: tuple[tuple[Verdict, int], ...]
    """What it means for how many of the cells, worst first."""
    known: tuple[str, ...]
    """Entries of `known.yaml`."""
    looks_like: tuple[str, ...]
    interface: str | None
    blame: str | None
    remedy: str | None
    remedied: tuple[tuple[str, int], ...]
    """What came of the remedy for how many cells, where it was tried."""

    @property
    def worst(self) -> Verdict:
        """The worst of the verdicts."""
        return self.verdicts[0][0]


def cell_states(run: Run, judgements: Mapping[Cell, Judgement]) -> pd.DataFrame:
    """One row a cell that has its last word, in the plan's order of kernels; `COLUMNS` even without any."""
    tries: dict[object, int] = {}
    for attempt in run.attempts:
        tries[attempt.cell] = max(tries.get(attempt.cell, 0), attempt.attempt)
    position = {label: number for number, label in enumerate(run.kernels)}
    rows = [_row(a, tries[a.cell], judgements[a.cell]) for a in run.final.values()]
    rows.sort(
        key=lambda r: (r[1], not r[6], r[2], r[3], position.get(str(r[4]), 0), position.get(str(r[5]), 0))
    )
    # Text stays Python's own: pandas' string types refuse the lone surrogates that a guest can cause.
    frame = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    return frame.astype({"baseline": bool, "diagonal": bool, "seconds": float, "image_bytes": "Int64"})


def _row(attempt: Attempt, tries: int, judgement: Judgement) -> tuple[object, ...]:
    cell = attempt.cell
    bad = attempt.outcome is not Outcome.PASS
    signature = attempt.signature or (normalize(attempt.error) if attempt.error and bad else None)
    wall = [value for phase, value in attempt.seconds.items() if phase != "guest"]
    return (
        str(cell), cell.userland, cell.mode, cell.scenario, cell.source, cell.destination, cell.is_baseline,
        cell.is_diagonal, str(attempt.outcome), str(attempt.phase), attempt.error, signature, tries,
        str(attempt.isolation), round(sum(wall), 3), attempt.image_bytes, attempt.criu, attempt.accelerator,
        attempt.cpu, attempt.reason and str(attempt.reason), str(judgement.verdict), judgement.why,
        str(judgement.direction), judgement.blame and str(judgement.blame), judgement.known,
        ", ".join(judgement.looks_like) or None, judgement.interface, judgement.remedy,
        judgement.remedied, judgement.settle,
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
    """Why cells did not pass: grouped by phase and signature, worst verdict first, then by how many they hit."""
    groups: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    columns = ("outcome", "phase", "signature", "error", "cell", "verdict", "remedied", *_TOLD)
    ended = cells[cells["outcome"] != str(Outcome.PASS)]
    for values in zip(*(ended[name] for name in columns), strict=True):
        member = {name: _text(value) for name, value in zip(columns, values, strict=True)}
        groups.setdefault((member["outcome"], member["phase"], member["signature"]), []).append(member)
    found = [_cause(*key, members) for key, members in groups.items()]
    return sorted(
        found,
        key=lambda cause: (-cause.worst.rank, -len(cause.cells), cause.phase, cause.signature),
    )


def _cause(outcome: str, phase: str, signature: str, members: list[dict[str, str]]) -> Cause:
    tally = Counter(Verdict(member["verdict"]) for member in members)
    told = {name: tuple(dict.fromkeys(m[name] for m in members if m[name])) for name in _TOLD}
    return Cause(
        outcome=Outcome(outcome),
        phase=phase,
        signature=signature,
        error=members[0]["error"],
        cells=tuple(member["cell"] for member in members),
        verdicts=tuple(sorted(tally.items(), key=lambda item: -item[0].rank)),
        known=told["known"],
        looks_like=told["looks_like"],
        interface=" / ".join(told["interface"]) or None,
        blame=", ".join(told["blame"]) or None,
        remedy=" / ".join(told["remedy"]) or None,
        remedied=tuple(Counter(m["remedied"] for m in members if m["remedied"]).most_common()),
    )


def verdict_counts(verdicts: Iterable[str]) -> dict[Verdict, int]:
    """How many of each verdict, worst first, every verdict present."""
    tally = dict.fromkeys(Verdict, 0)
    for verdict in verdicts:
        tally[Verdict(verdict)] += 1
    return tally


def counts(outcomes: Iterable[str]) -> dict[Outcome, int]:
    """How many of each outcome, every outcome present."""
    tally = dict.fromkeys(Outcome, 0)
    for outcome in outcomes:
        tally[Outcome(outcome)] += 1
    return tally


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
