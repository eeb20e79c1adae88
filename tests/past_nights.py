"""Runs of earlier nights, in which one cell came back or did not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import ledgers

from harness.matrix.cell import Cell, Outcome, Phase
from harness.matrix.ledger import Attempt

LABELS = tuple(label for label, _, _ in ledgers.KERNELS)
MOVE = Cell("trixie", "cold", "redis", "debian-6.1-oldest", "debian-6.12")
SOCKETS = "Error (criu/sockets.c:628): sockets: Can't set 1:72 (len 4): Protocol not available"
LOST = "AssertionError: process 4242 did not report within 20 s"
FIRST = datetime(2026, 11, 1, 2, 17, tzinfo=UTC)


def with_controls(cell: Cell, *tried: Attempt) -> list[Attempt]:
    """The attempts, and the diagonals that make their verdict certain."""
    controls = (replace(cell, destination=cell.source), replace(cell, source=cell.destination))
    return [*map(ledgers.attempt, controls), *tried]


def night(reports: Path, number: int, tried: Sequence[Attempt], **facts: Any) -> Path:  # noqa: ANN401
    """A finished run of the night `number`."""
    began = FIRST + timedelta(days=number)
    record = ledgers.run_facts(LABELS, ledgers.SCENARIOS, len(tried))
    record |= {"id": f"{began:%Y%m%d-%H%M%S}-{number:04x}", "started": began.isoformat()} | facts
    return ledgers.write_run(reports / f"{began:%Y%m%d-%H%M%S}-{number:04x}", list(tried), facts=record)


def fails(cell: Cell = MOVE, error: str = SOCKETS, phase: Phase = Phase.RESTORE) -> list[Attempt]:
    """A run in which the cell does not come back, and its diagonals do."""
    return with_controls(cell, ledgers.attempt(cell, Outcome.FAIL, phase=phase, error=error))


def passes(cell: Cell = MOVE) -> list[Attempt]:
    """A run in which the cell comes back."""
    return with_controls(cell, ledgers.attempt(cell))


def ends(outcome: Outcome, cell: Cell = MOVE) -> list[Attempt]:
    """A run in which the cell ends so."""
    return with_controls(cell, ledgers.attempt(cell, outcome))


def nights(reports: Path, *runs: list[Attempt]) -> list[Path]:
    """Runs, one a night."""
    return [night(reports, number, tried) for number, tried in enumerate(runs)]
