"""The verdicts of a run, made from its ledger and, where the first error line says too little, from its logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from harness.matrix import ledger
from harness.matrix.cell import Cell, Outcome
from harness.matrix.ledger import Attempt
from harness.report.rundir import Run
from harness.verdict.attribution import attribute
from harness.verdict.known import KnownBreakages, load
from harness.verdict.signature import error_lines
from harness.verdict.verdict import Judgement

REMEDIES = "remedies"
"""The folder of a run in which cells that were tried with a remedy have their ledger."""
_LOGS = ("restore", "dump")
_READ = 4 << 20
"""Bytes of a log that are searched, from its end: the error is what CRIU wrote last."""


def judge(run: Run, known: KnownBreakages | None = None) -> dict[Cell, Judgement]:
    """The judgement of every cell that has its last word. Raises `HarnessError` if `known.yaml` is broken."""
    judgements = attribute(run.final, known or load(), _reader(run))
    tried = ledger.final_states(ledger.read(run.directory / REMEDIES))
    return {cell: _remedied(judgement, tried) for cell, judgement in judgements.items()}


def with_remedy(scenario: str, breakage: str) -> str:
    """The name of a scenario that is run with the remedy against a breakage."""
    return f"{scenario}+{breakage}"


def _remedied(judgement: Judgement, tried: Mapping[Cell, Attempt]) -> Judgement:
    if not tried or judgement.known is None:
        return judgement
    name = with_remedy(judgement.cell.scenario, judgement.known)
    attempt = tried.get(replace(judgement.cell, scenario=name))
    if attempt is None:
        return judgement
    helped = attempt.outcome is Outcome.PASS
    said = "helped" if helped else f"did not help: {attempt.outcome} in {attempt.phase}: {attempt.error}"
    return replace(judgement, remedied=said)


def _reader(run: Run) -> Callable[[Attempt], Iterable[str]]:
    """Error lines of an attempt's CRIU logs, read once for all cells that failed alike."""
    read: dict[tuple[str, str | None], list[str]] = {}

    def lines(attempt: Attempt) -> Iterable[str]:
        key = (str(attempt.phase), attempt.signature)
        if key not in read:
            read[key] = [line for name in _LOGS for line in _errors(run, attempt, name)]
        return read[key]

    return lines


def _errors(run: Run, attempt: Attempt, name: str) -> list[str]:
    path = run.log(attempt.logs.get(name, ""))
    if path is None:
        return []
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _READ))
            text = file.read(_READ).decode("utf-8", "replace")
    except OSError:
        return []
    return list(error_lines(text))
