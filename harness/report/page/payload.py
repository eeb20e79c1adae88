"""The run as the page's script reads it: columns of numbers, and each distinct text once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.matrix.cell import Cell
from harness.matrix.ledger import Attempt
from harness.report.compare import Comparison
from harness.report.marks import style
from harness.report.page import changes, pattern, tries, unfinished
from harness.report.page.cause import PageCause
from harness.report.page.kernels import Kernel
from harness.report.page.looks import BY_RANK, COUNTED, MEANINGS, SIGNS
from harness.report.page.pack import Column, pack
from harness.report.page.past import Past
from harness.report.page.tries import NAME
from harness.report.rundir import Run
from harness.report.sanitize import visible
from harness.report.surface_tables import SurfaceTables
from harness.verdict.known import Breakage
from harness.verdict.order import Direction
from harness.verdict.verdict import Verdict

SCHEMA = 1
_AXES = ("userland", "mode", "scenario")
_JUDGED = ("why", "direction", "blame", "known", "looks_like", "interface", "remedy", "remedied", "settle")
_DIRECTIONS = [str(direction) for direction in Direction]


@dataclass(frozen=True)
class Beside:
    """What the page knows besides the run's own cells."""

    kernels: Sequence[Kernel]
    causes: Sequence[PageCause]
    surfaces: SurfaceTables
    comparison: Comparison | None
    past: Past


def build(run: Run, cells: pd.DataFrame, beside: Beside) -> dict[str, Any]:
    """All of it, ready for `embed`. Every text in it has passed `visible`."""
    kernels, causes = beside.kernels, beside.causes
    shown = [visible(kernel.label, NAME) for kernel in kernels]
    places = {kernel.label: place for place, kernel in enumerate(kernels)}
    axes = {name: list(dict.fromkeys(cells[name])) for name in _AXES}
    listed = [
        Cell(*key) for key in zip(*(cells[name] for name in (*_AXES, "source", "destination")), strict=True)
    ]
    columns = {name: _places(cells[name], axes[name]) for name in _AXES}
    columns["source"] = pack([places[cell.source] for cell in listed])
    columns["destination"] = pack([places[cell.destination] for cell in listed])
    columns["verdict"] = pack([Verdict(verdict).rank for verdict in cells["verdict"]])
    columns["change"] = pack(changes.column(beside.comparison, listed))
    columns["cause"] = pack(_cause_of(cells, causes))
    judgements, columns["judgement"] = _judgements(cells, listed)
    tried: dict[Cell, list[Attempt]] = {}
    for attempt in run.attempts:
        tried.setdefault(attempt.cell, []).append(attempt)
    attempts = tries.attempts(listed, tried)
    columns["tries"] = attempts.pop("tries")
    return {
        "schema": SCHEMA,
        "run": visible(run.name, NAME),
        "verdicts": [
            {
                "name": str(v),
                "sign": SIGNS[v],
                "style": style(v),
                "means": MEANINGS[v],
                "counted": COUNTED.get(v, str(v)),
            }
            for v in BY_RANK
        ],
        "outcomes": tries.OUTCOMES,
        "phases": tries.PHASES,
        "isolations": tries.ISOLATIONS,
        "directions": _DIRECTIONS,
        "userlands": [_userland(run, cells, name) for name in axes["userland"]],
        "modes": [visible(name, NAME) for name in axes["mode"]],
        "scenarios": [{"name": visible(name, NAME), "tags": _tags(run, name)} for name in axes["scenario"]],
        "kernels": [_kernel(kernel, name) for kernel, name in zip(kernels, shown, strict=True)],
        "size": len(listed),
        "unfinished": unfinished.axes(run, cells),
        "cells": columns,
        "known": {entry.id: _breakage(entry) for cause in causes for entry in cause.known},
        "judgements": judgements,
        "attempts": attempts,
        "causes": [cause.as_json() for cause in causes],
        "changes": changes.KINDS if beside.comparison else [],
        "past": beside.past.as_json(list(cells["cell"])),
        "surfaces": beside.surfaces.as_json(),
    }


def embed(payload: Mapping[str, Any]) -> str:
    """JSON that can stand in a script element: nothing in it can end the element or begin a comment."""
    text = json.dumps(payload, ensure_ascii=True, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _userland(run: Run, cells: pd.DataFrame, name: str) -> dict[str, str]:
    criu = sorted({str(version) for version in cells.loc[cells["userland"] == name, "criu"].dropna()})
    image = run.facts.get("userlands")
    image = image.get(name) if isinstance(image, dict) else None
    sha256 = image.get("sha256") if isinstance(image, dict) else None
    return {
        "name": visible(name, NAME),
        "criu": visible(", ".join(criu), NAME),
        "sha256": visible(str(sha256 or ""), NAME),
    }


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
        names = tries.names(cell)
        told[0], told[-1] = pattern.take_out(told[0], names), pattern.take_out(told[-1], names)
        judged = (told[0], _DIRECTIONS.index(told[1]), *told[2:])
        column.append(places.setdefault(judged, len(places)))
    return [list(judged) for judged in places], pack(column)
