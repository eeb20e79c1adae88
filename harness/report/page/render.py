"""The page put together from its templates. Text that is not the template's own passes `visible` and then escaping."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.report import frames
from harness.report.page import cause, payload
from harness.report.page.facts import distinct, facts
from harness.report.page.kernels import in_order
from harness.report.page.looks import MEANINGS, SIGNS, style
from harness.report.page.overview import overviews
from harness.report.rundir import Run
from harness.report.sanitize import visible
from harness.verdict.known import load
from harness.verdict.verdict import Verdict

FILE = "index.html"
SHOWN = 300
"""Characters of a text in the page's own HTML; the cell's view and the logs have the rest."""
_STYLES = ("tokens.css", "layout.css", "matrix.css", "detail.css", "print.css")
_SCRIPTS = (
    "elements.js",
    "columns.js",
    "run.js",
    "query.js",
    "kinds.js",
    "state.js",
    "pivot.js",
    "matrix.js",
    "keyboard.js",
    "filters.js",
    "listing.js",
    "cell.js",
    "drawer.js",
    "theme.js",
    "main.js",
)


def render(run: Run, cells: pd.DataFrame) -> str:
    """The whole page."""
    kernels = in_order(run)
    causes = cause.collect(run, cells, load(), {})
    css, script = style_sheet(), script_text()
    tally = frames.verdict_counts(cells["verdict"])
    return _environment().get_template("index.html.j2").render(
        # Ours, not the guest's: the hashes in the policy are of exactly these texts.
        css=Markup(css),
        css_hash=_digest(css),
        script=Markup(script),
        script_hash=_digest(script),
        payload=Markup(payload.embed(payload.build(run, cells, kernels, causes))),
        run=run,
        done=len(cells),
        comparison=None,
        pictures=[],
        first_seen={},
        scenarios=cells["scenario"].nunique(),
        userlands=_userlands(cells),
        headline=_headline(tally, len(cells)),
        tally=[(verdict, count) for verdict, count in tally.items() if count],
        signs=SIGNS,
        means=MEANINGS,
        style=style,
        facts=facts(run, cells),
        kernels=kernels,
        overviews=overviews(cells, kernels),
        causes=[one for one in causes if cause.breaks(one)],
        quiet=[one for one in causes if not cause.breaks(one)],
    )


def _userlands(cells: pd.DataFrame) -> list[str]:
    """Each userland with the CRIU that its cells name."""
    found = []
    for name in dict.fromkeys(cells["userland"]):
        criu = distinct(cells.loc[cells["userland"] == name, "criu"])
        found.append(f"{name} with CRIU {criu}" if criu else str(name))
    return found


def style_sheet() -> str:
    """The page's style, in one piece."""
    return _assets("style", _STYLES)


def script_text() -> str:
    """The page's script, in one piece and in one scope of its own."""
    return f'(() => {{\n"use strict";\n{_assets("script", _SCRIPTS)}}})();\n'


def _assets(folder: str, names: tuple[str, ...]) -> str:
    place = resources.files("harness.report.page").joinpath(folder)
    return "".join(place.joinpath(name).read_text("utf-8") for name in names)


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _headline(tally: Mapping[Verdict, int], done: int) -> str:
    good = tally[Verdict.COMPATIBLE]
    broken = sum(n for verdict, n in tally.items() if verdict.rank > Verdict.LAB_ERROR.rank)
    return f"{good:,} of {done:,} cells compatible, {broken:,} broken"


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("harness.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _finalize(value: Any) -> Any:  # noqa: ANN401  whatever a template's expression gives
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value, SHOWN)
    return "" if value is None else value
