"""`index.html`: the same matrix as one plain page with a link to every log. No script, nothing loaded."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.matrix.cell import Cell, Outcome
from harness.matrix.ledger import Attempt
from harness.report import frames
from harness.report.compare import Comparison
from harness.report.rundir import Run, link
from harness.report.sanitize import visible
from harness.report.terminal import GLYPHS

FILE = "index.html"
ERROR_SHOWN = 300
"""Characters of an error on the page; the log that holds the rest is one click away."""
_CELLS_OF_A_CAUSE = 60


@dataclass(frozen=True)
class Square:
    """One field of a matrix."""

    glyph: str
    text: str
    outcome: str
    anchor: str | None
    diagonal: bool = False


def render(run: Run, cells: pd.DataFrame, *, comparison: Comparison | None = None) -> str:
    """The whole page. Everything that is not the template's own passes `visible` and then HTML's escaping."""
    del comparison
    environment = _environment()
    style = environment.get_template("style.css.j2").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    anchors = {str(cell): f"c{number}" for number, cell in enumerate(cells["cell"])}
    tally = {str(outcome): n for outcome, n in frames.counts(cells["outcome"]).items()}
    return environment.get_template("index.html.j2").render(
        # Ours, not the guest's: the hash in the policy is of exactly this text.
        style=Markup(style),
        digest=digest,
        run=run,
        done=len(cells),
        tally=tally,
        glyphs={str(outcome): glyph for outcome, glyph in GLYPHS.items()},
        facts=_facts(run, cells),
        kernels=_kernels(run),
        matrices=[_matrix(run, cells, str(name)) for name in dict.fromkeys(cells["userland"])],
        causes=frames.causes(cells),
        shown=_CELLS_OF_A_CAUSE,
        anchors=anchors,
        squares=list(_by_square(run, cells, anchors)),
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("harness.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _finalize(value: Any) -> Any:  # noqa: ANN401  whatever a template's expression gives
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value, ERROR_SHOWN)
    return "" if value is None else value


def _facts(run: Run, cells: pd.DataFrame) -> dict[str, str]:
    facts = run.facts
    found = {
        "started": facts.get("started"),
        "finished": facts.get("finished") or "not yet",
        "duration": _duration(facts),
        "command": " ".join(map(str, facts.get("argv", []))),
        "accelerator": facts.get("accelerator") or _distinct(cells["accelerator"]),
        "CPU model": facts.get("cpu") or _distinct(cells["cpu"]),
        "isolation": run.plan.get("isolation"),
        "guests at once": run.plan.get("slots"),
        "scenarios": ", ".join(map(str, run.plan.get("scenarios", []))),
        "modes": ", ".join(map(str, run.plan.get("modes", []))),
        "host": _pairs(facts.get("host")),
        "versions": _pairs(facts.get("versions")),
    }
    userlands = facts.get("userlands")
    for name, what in (userlands if isinstance(userlands, dict) else {}).items():
        found[f"userland {name}"] = _pairs(what)
    return {key: str(value) for key, value in found.items() if value not in (None, "")}


def _duration(facts: Mapping[str, Any]) -> str | None:
    try:
        span = datetime.fromisoformat(facts["finished"]) - datetime.fromisoformat(facts["started"])
    except (KeyError, TypeError, ValueError):
        return None
    return str(span).split(".", 1)[0]


def _pairs(what: object) -> str:
    """A record in words; one inside another stands in parentheses."""
    if isinstance(what, dict):
        inner = (
            (key, f"({_pairs(value)})" if isinstance(value, dict) else _pairs(value))
            for key, value in what.items()
        )
        return ", ".join(f"{key} {value}" for key, value in inner if value)
    if isinstance(what, list):
        return " ".join(_pairs(value) for value in what)
    return "" if what is None else str(what)


def _distinct(column: pd.Series[Any]) -> str:
    return ", ".join(sorted({str(value) for value in column.dropna()}))


def _kernels(run: Run) -> list[dict[str, str]]:
    """What the plan knows of each kernel, or failing that the ledger; a nested record becomes words."""
    planned = [kernel for kernel in run.plan.get("kernels", []) if isinstance(kernel, dict)]
    known = {str(kernel.get("label")): kernel for kernel in planned}
    for attempt in run.attempts:
        for side, label in (("source", attempt.cell.source), ("destination", attempt.cell.destination)):
            if label not in known and side in attempt.kernels:
                identity = attempt.kernels[side]
                known[label] = {
                    "label": label,
                    "release": identity.release,
                    "version": identity.version,
                    "sha256": identity.sha256,
                }
    listed = ("label", "release", "version", "sha256")
    return [
        {key: _pairs(known[label].get(key)) for key in listed}
        | {"more": _pairs(known[label].get("provenance"))}
        for label in run.kernels
        if label in known
    ]


def _matrix(run: Run, cells: pd.DataFrame, userland: str) -> dict[str, Any]:
    here = cells[cells["userland"] == userland]
    present = set(here["source"]) | set(here["destination"])
    kernels = [label for label in run.kernels if label in present]
    migrations, baselines = (frames.lookup(frames.squares(here, baselines=b)) for b in (False, True))
    rows = [
        (
            source,
            _square(baselines.get((userland, source, source)), "b", run, userland, source, source),
            [_square(migrations.get((userland, source, d)), "s", run, userland, source, d) for d in kernels],
        )
        for source in kernels
    ]
    return {"userland": userland, "criu": _distinct(here["criu"]), "kernels": kernels, "rows": rows}


def _square(
    counted: tuple[int, int, str] | None, kind: str, run: Run, userland: str, source: str, destination: str
) -> Square:
    diagonal = kind == "s" and source == destination
    if counted is None:
        return Square("·", "", "none", None, diagonal)
    passed, total, worst = counted
    anchor = _anchor(run, kind, userland, source, destination)
    return Square(GLYPHS[Outcome(worst)], f"{passed}/{total} {worst}", worst, anchor, diagonal)


def _anchor(run: Run, kind: str, userland: str, source: str, destination: str) -> str:
    text = "\0".join((kind, userland, source, destination))
    return f"{kind}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def _by_square(run: Run, cells: pd.DataFrame, anchors: Mapping[str, str]) -> Any:  # noqa: ANN401
    attempts: dict[Cell, list[Attempt]] = {}
    for attempt in run.attempts:
        attempts.setdefault(attempt.cell, []).append(attempt)
    groups: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    for cell, tried in attempts.items():
        name = str(cell)
        if name in anchors:
            kind = "b" if cell.is_baseline else "s"
            groups.setdefault((kind, cell.userland, cell.source, cell.destination), []).append(
                {"name": name, "anchor": anchors[name], "attempts": [_attempt(attempt) for attempt in tried]}
            )
    for (kind, userland, source, destination), members in groups.items():
        title = f"{userland}: {source} → {destination}" if kind == "s" else f"{userland}: {source}, baseline"
        members.sort(key=lambda member: member["name"])
        yield {"anchor": _anchor(run, kind, userland, source, destination), "title": title, "cells": members}


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.attempt,
        "outcome": str(attempt.outcome),
        "glyph": GLYPHS[attempt.outcome],
        "phase": str(attempt.phase),
        "seconds": f"{sum(v for k, v in attempt.seconds.items() if k != 'guest'):.1f} s",
        "error": attempt.error,
        "logs": [(name, link(path)) for name, path in attempt.logs.items()],
    }
