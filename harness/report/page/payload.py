"""The run as the page's script reads it: columns of numbers, and each distinct text once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from harness.matrix.cell import Cell, Isolation, Outcome, Phase
from harness.matrix.ledger import Attempt
from harness.report.page import pattern
from harness.report.page.cause import PageCause
from harness.report.page.kernels import Kernel
from harness.report.page.looks import BY_RANK, MEANINGS, SIGNS, style
from harness.report.page.pack import Column, Words, pack
from harness.report.rundir import Run, link
from harness.report.sanitize import visible
from harness.verdict.known import Breakage
from harness.verdict.order import Direction
from harness.verdict.verdict import Verdict

SCHEMA = 1
NAME = 200
"""Characters of a name that are shown."""
ERROR = 300
ERRORS = 200_000
"""Characters of all errors together. Beyond that a cell is told by its cause's error, whose words it has."""
_AXES = ("userland", "mode", "scenario")
_JUDGED = ("why", "direction", "blame", "known", "looks_like", "interface", "remedy", "remedied", "settle")
_OUTCOMES = [str(outcome) for outcome in Outcome]
_PHASES = [str(phase) for phase in Phase]
_ISOLATIONS = [str(isolation) for isolation in Isolation]
_DIRECTIONS = [str(direction) for direction in Direction]
_TICKS = 100
"""Times are counted in hundredths of a second."""


def build(
    run: Run, cells: pd.DataFrame, kernels: Sequence[Kernel], causes: Sequence[PageCause]
) -> dict[str, Any]:
    """All of it, ready for `embed`. Every text in it has passed `visible`."""
    shown = [visible(kernel.label, NAME) for kernel in kernels]
    places = {kernel.label: place for place, kernel in enumerate(kernels)}
    axes = {name: list(dict.fromkeys(cells[name])) for name in _AXES}
    listed = [Cell(*key) for key in zip(*(cells[name] for name in (*_AXES, "source", "destination")), strict=True)]
    columns = {name: _places(cells[name], axes[name]) for name in _AXES}
    columns["source"] = pack([places[cell.source] for cell in listed])
    columns["destination"] = pack([places[cell.destination] for cell in listed])
    columns["verdict"] = pack([Verdict(verdict).rank for verdict in cells["verdict"]])
    columns["cause"] = pack(_cause_of(cells, causes))
    judgements, columns["judgement"] = _judgements(cells, listed)
    attempts = _attempts(run, listed)
    columns["tries"] = attempts.pop("tries")
    return {
        "schema": SCHEMA,
        "run": visible(run.name, NAME),
        "verdicts": [
            {"name": str(v), "sign": SIGNS[v], "style": style(v), "means": MEANINGS[v]} for v in BY_RANK
        ],
        "outcomes": _OUTCOMES,
        "phases": _PHASES,
        "isolations": _ISOLATIONS,
        "directions": _DIRECTIONS,
        "userlands": [_userland(run, cells, name) for name in axes["userland"]],
        "modes": [visible(name, NAME) for name in axes["mode"]],
        "scenarios": [{"name": visible(name, NAME), "tags": _tags(run, name)} for name in axes["scenario"]],
        "kernels": [_kernel(kernel, name) for kernel, name in zip(kernels, shown, strict=True)],
        "size": len(listed),
        "cells": columns,
        "known": {entry.id: _breakage(entry) for cause in causes for entry in cause.known},
        "judgements": judgements,
        "attempts": attempts,
        "causes": [cause.as_json() for cause in causes],
    }


def embed(payload: Mapping[str, Any]) -> str:
    """JSON that can stand in a script element: nothing in it can end the element or begin a comment."""
    text = json.dumps(payload, ensure_ascii=True, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _userland(run: Run, cells: pd.DataFrame, name: str) -> dict[str, str]:
    criu = sorted({str(version) for version in cells.loc[cells["userland"] == name, "criu"].dropna()})
    return {"name": visible(name, NAME), "criu": visible(", ".join(criu), NAME)}


def _tags(run: Run, scenario: str) -> list[str]:
    tags = run.plan.get("tags")
    found = tags.get(scenario, []) if isinstance(tags, dict) else []
    return [visible(str(tag), NAME) for tag in found]


def _kernel(kernel: Kernel, shown: str) -> dict[str, Any]:
    numbers, candidate = kernel.place.upstream
    return {
        "name": shown,
        "version": visible(str(kernel.place), NAME),
        "release": visible(kernel.release, NAME),
        "package": visible(kernel.version, NAME),
        "sha256": visible(kernel.sha256, NAME),
        "key": [*numbers, candidate],
    }


def _breakage(entry: Breakage) -> dict[str, Any]:
    fixed = [f"{side} {version}" for side, version in entry.fixed.model_dump().items() if version]
    return {
        "title": entry.title,
        "cause": entry.cause,
        "fixed": ", ".join(fixed),
        "sources": list(entry.sources),
    }


def _places(column: Iterable[str], words: Sequence[str]) -> Column:
    places = {word: place for place, word in enumerate(words)}
    return pack([places[word] for word in column])


def _cause_of(cells: pd.DataFrame, causes: Sequence[PageCause]) -> list[int]:
    """A cause's number from 1 on; 0 for a cell that passed."""
    of = {name: number for number, cause in enumerate(causes, 1) for name in cause.cells}
    return [of.get(name, 0) for name in cells["cell"]]


def _judgements(cells: pd.DataFrame, listed: Sequence[Cell]) -> tuple[list[list[Any]], Column]:
    """The distinct judgements, and which of them each cell has. `why` and `settle` name cells, so they are patterns."""
    places: dict[tuple[Any, ...], int] = {}
    column = []
    for cell, values in zip(listed, zip(*(cells[name] for name in _JUDGED), strict=True), strict=True):
        told = [visible(value) if isinstance(value, str) else "" for value in values]
        names = _names(cell)
        told[0], told[-1] = pattern.take_out(told[0], names), pattern.take_out(told[-1], names)
        judged = (told[0], _DIRECTIONS.index(told[1]), *told[2:])
        column.append(places.setdefault(judged, len(places)))
    return [list(judged) for judged in places], pack(column)


def _names(cell: Cell, attempt: int = 0) -> list[tuple[str, str]]:
    return pattern.names(
        Cell(*(visible(part, NAME) for part in (cell.userland, cell.mode, cell.scenario, cell.source, cell.destination))),
        attempt,
    )


def _attempts(run: Run, listed: Sequence[Cell]) -> dict[str, Any]:
    """Every attempt, cell by cell in the order of `listed`."""
    tried: dict[Cell, list[Attempt]] = {}
    for attempt in run.attempts:
        tried.setdefault(attempt.cell, []).append(attempt)
    flat = [attempt for cell in listed for attempt in tried[cell]]
    errors, error_column = _errors(flat)
    logs, log_column = _logs(flat)
    shapes, shape_column, times = _times(flat)
    criu, cpus = Words(), Words()
    return {
        "tries": pack([len(tried[cell]) for cell in listed]),
        "outcome": pack([_OUTCOMES.index(attempt.outcome) for attempt in flat]),
        "phase": pack([_PHASES.index(attempt.phase) for attempt in flat]),
        "isolation": pack([_ISOLATIONS.index(attempt.isolation) for attempt in flat]),
        "bytes": pack([0 if attempt.image_bytes is None else attempt.image_bytes + 1 for attempt in flat]),
        "error": error_column,
        "errors": errors,
        "log": log_column,
        "logs": logs,
        "shape": shape_column,
        "shapes": shapes,
        "times": pack(times),
        "criu": pack([criu.place(visible(attempt.criu or "", NAME)) for attempt in flat]),
        "crius": criu.listed,
        "machine": pack([cpus.place(visible(f"{a.accelerator}, {a.cpu}", NAME)) for a in flat]),
        "machines": cpus.listed,
    }


def _errors(flat: Sequence[Attempt]) -> tuple[list[str], Column]:
    """Distinct errors; the first is the empty one, and stands for those beyond the allowance, too."""
    words, spent = Words([""]), 0
    column = []
    for attempt in flat:
        text = visible(attempt.error, ERROR) if attempt.error else ""
        if spent > ERRORS:
            column.append(0)
            continue
        before = len(words)
        column.append(words.place(text))
        spent += len(text) if len(words) > before else 0
    return words.listed, pack(column)


def _logs(flat: Sequence[Attempt]) -> tuple[list[list[list[str]]], Column]:
    """Distinct sets of logs: each a name and the pattern of its path, empty where there may be no link to it."""
    places: dict[tuple[tuple[str, str], ...], int] = {}
    column = []
    for attempt in flat:
        names = _names(attempt.cell, attempt.attempt)
        logs = tuple((visible(name, NAME), _path(path, names)) for name, path in attempt.logs.items())
        column.append(places.setdefault(logs, len(places)))
    return [[list(log) for log in logs] for logs in places], pack(column)


def _path(path: str, names: list[tuple[str, str]]) -> str:
    safe = visible(path, None) == path and link(path) is not None
    return pattern.take_out(path, names) if safe else ""


def _times(flat: Sequence[Attempt]) -> tuple[list[list[str]], Column, list[int]]:
    """Which phases each attempt has times of, and all times one after another."""
    places: dict[tuple[str, ...], int] = {}
    column: list[int] = []
    times: list[int] = []
    for attempt in flat:
        phases = tuple(attempt.seconds)
        column.append(places.setdefault(phases, len(places)))
        times += [max(0, round(value * _TICKS)) for value in attempt.seconds.values()]
    return [[visible(phase, NAME) for phase in phases] for phases in places], pack(column), times


