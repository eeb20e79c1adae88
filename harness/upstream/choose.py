"""Which cell a report is about: one that is named, or the clearest of those with one cause."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from harness.cache import Cache
from harness.errors import ConfigError
from harness.matrix.cell import Cell, Outcome
from harness.report.rundir import Run
from harness.report.sanitize import visible
from harness.upstream.evidence import Evidence, gather
from harness.upstream.frontier import Frontier, find
from harness.upstream.refusal import Audience, audience, reasons
from harness.verdict.known import Breakage
from harness.verdict.order import Direction
from harness.verdict.verdict import Judgement

_SHOWN = 5
_TRIED = 200
"""Cells of one cause that are looked at closely: they differ in little."""
_DIRECTIONS = (Direction.FORWARD, Direction.SAME, Direction.SIDEWAYS, Direction.BACKWARD)


@dataclass(frozen=True)
class Case:
    """A cell with its evidence, its border, who should hear of it, and what speaks against that."""

    evidence: Evidence
    frontier: Frontier
    audience: Audience
    reasons: tuple[str, ...]


def choose(
    run: Run, wanted: str, judgements: Mapping[Cell, Judgement], known: Mapping[str, Breakage], cache: Cache
) -> Case:
    """The case that `wanted` names: a cell, a signature or a part of one, or an entry of `known.yaml`.

    Raises `ConfigError` if the run has none such, or if a part of a signature fits several.
    """
    cell = _as_cell(wanted)
    if cell is not None:
        if cell not in run.final:
            raise _unknown(run, cell)
        return _case(run, cell, judgements, known, cache)
    cells = sorted(_of_signature(run, wanted, judgements), key=lambda c: _first_guess(run, c, judgements))
    cases = [_case(run, one, judgements, known, cache) for one in cells[:_TRIED]]
    return min(cases, key=_clarity)


def _case(
    run: Run,
    cell: Cell,
    judgements: Mapping[Cell, Judgement],
    known: Mapping[str, Breakage],
    cache: Cache,
) -> Case:
    evidence = gather(run, cell, judgements, known, cache)
    frontier = find(evidence)
    told = audience(evidence, frontier)
    return Case(evidence, frontier, told, tuple(reasons(evidence, frontier, told)))


def _as_cell(wanted: str) -> Cell | None:
    try:
        return Cell.parse(wanted)
    except ValueError:
        return None


def _unknown(run: Run, cell: Cell) -> ConfigError:
    if any(attempt.cell == cell for attempt in run.attempts):
        return ConfigError(
            f"{visible(str(cell), 200)} has not its last word yet", hint="kmatrix run --resume"
        )
    near = difflib.get_close_matches(str(cell), {str(one) for one in run.final}, 3, 0.6)
    hint = "near it: " + ", ".join(visible(other, 200) for other in near) if near else None
    return ConfigError(f"{visible(run.name)} has no cell {visible(str(cell), 200)}", hint=hint)


def _of_signature(run: Run, wanted: str, judgements: Mapping[Cell, Judgement]) -> list[Cell]:
    """Cells of exactly that signature or known entry; else of the one signature that `wanted` is a part of."""
    failed = {cell: attempt for cell, attempt in run.final.items() if attempt.outcome is not Outcome.PASS}
    exact = [
        cell
        for cell, attempt in failed.items()
        if wanted and wanted in (attempt.signature, judgements[cell].known)
    ]
    if exact:
        return exact
    near = [cell for cell, a in failed.items() if wanted.strip() and a.signature and wanted in a.signature]
    signatures = sorted({str(failed[cell].signature) for cell in near})
    if len(signatures) == 1:
        return near
    if signatures:
        shown = "; ".join(visible(one, 160) for one in signatures[:_SHOWN])
        raise ConfigError(f"{visible(wanted, 160)!r} is part of {len(signatures)} signatures", hint=shown)
    raise ConfigError(
        f"{visible(run.name)} has no cell and no signature {visible(wanted, 200)!r}",
        hint="the signatures are in matrix.json; a cell is USERLAND/MODE/SCENARIO/SOURCE→DESTINATION",
    )


def _first_guess(run: Run, cell: Cell, judgements: Mapping[Cell, Judgement]) -> tuple[object, ...]:
    judgement, attempt = judgements[cell], run.final[cell]
    way = _DIRECTIONS.index(judgement.direction)
    return way, -judgement.verdict.rank, _size(attempt.image_bytes), str(cell)


def _clarity(case: Case) -> tuple[object, ...]:
    """Forward, with nothing against it, between neighbours, the worst verdict, the smallest scenario."""
    evidence, frontier = case.evidence, case.frontier
    way = _DIRECTIONS.index(evidence.judgement.direction)
    at_the_border = frontier.bad.label in (evidence.cell.source, evidence.cell.destination)
    near = not at_the_border, _distance(evidence, frontier)
    size = _size(evidence.attempt.image_bytes)
    return way, len(case.reasons), -evidence.judgement.verdict.rank, size, *near, str(evidence.cell)


def _distance(evidence: Evidence, frontier: Frontier) -> int:
    """How many of the run's kernels lie between source and destination: the fewer, the less has changed."""
    labels = evidence.run.kernels
    known = [labels.index(label) for label in (evidence.cell.source, evidence.cell.destination)]
    return abs(known[0] - known[1])


def _size(image_bytes: int | None) -> int:
    return image_bytes if image_bytes is not None else 1 << 62
