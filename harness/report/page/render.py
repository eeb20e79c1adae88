"""The page put together from its templates. Text that is not the template's own passes `visible` and then escaping."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

import pandas as pd
from jinja2 import Environment
from markupsafe import Markup

from harness.report import charts, frames
from harness.report.chart_style import CHART_CSS
from harness.report.charts import Chart
from harness.report.compare import Comparison, headline
from harness.report.html import environment, policy_hash
from harness.report.kernel_pages import kernel_pages
from harness.report.marks import style
from harness.report.page import cause, changes, payload, unfinished
from harness.report.page.facts import distinct, facts
from harness.report.page.kernels import in_order
from harness.report.page.looks import MEANINGS, SIGNS
from harness.report.page.overview import overviews
from harness.report.page.past import NO_PAST, Past
from harness.report.rundir import Run
from harness.report.sanitize import visible
from harness.verdict.known import load
from harness.verdict.verdict import Verdict

FILE = "index.html"
SHOWN = 300
"""Characters of a text in the page's own HTML; the cell's view and the logs have the rest."""
_LONG = 160
"""Characters of a fact that are shown before anybody asks for more."""
_WHOLE = 20_000
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
    "surface.js",
    "drawer.js",
    "theme.js",
    "main.js",
)


def render(
    run: Run, cells: pd.DataFrame, *, comparison: Comparison | None = None, past: Past = NO_PAST
) -> str:
    """The whole page; `past` is what earlier runs say. Raises `HarnessError` if `known.yaml` is broken."""
    known = load()
    kernels, causes = in_order(run), cause.collect(run, cells, known)
    pages = kernel_pages(run, known)
    css, script = style_sheet(), script_text()
    beside = payload.Beside(kernels, causes, pages.tables, comparison, past)
    owing = unfinished.axes(run, cells)
    tally = frames.verdict_counts(cells["verdict"])
    return (
        _environment()
        .get_template("index.html.j2")
        .render(
            # Ours, not the guest's: the hashes in the policy are of exactly these texts.
            css=Markup(css),
            css_source=policy_hash(css),
            script=Markup(script),
            script_source=policy_hash(script),
            payload=Markup(payload.embed(payload.build(run, cells, beside))),
            run=run,
            done=len(cells),
            headline=headline(run, cells, comparison),
            comparison=comparison,
            changes=changes.sections(comparison, causes) if comparison else [],
            past=past,
            pictures=_pictures(run, tally, past),
            scenarios=cells["scenario"].nunique(),
            userlands=_userlands(cells),
            tally=[(verdict, count) for verdict, count in tally.items() if count],
            signs=SIGNS,
            means=MEANINGS,
            style=style,
            visible=visible,
            lines=_lines,
            long=_LONG,
            whole=_whole,
            facts=facts(run, cells),
            kernels=kernels,
            pages={page.label: page for page in pages.kernels},
            differing=pages.differing,
            troubles=pages.troubles,
            overviews=overviews(cells, kernels, owing),
            owing=owing,
            causes=[one for one in causes if cause.breaks(one)],
            quiet=[one for one in causes if not cause.breaks(one)],
        )
    )


def _pictures(run: Run, tally: Mapping[Verdict, int], past: Past) -> list[tuple[Chart, Markup]]:
    """With their markup, which `harness.report.svg` made and whose texts it escaped."""
    now = charts.RunCounts(run.name, str(run.facts.get("started") or ""), tally)
    drawn = (
        charts.phase_times(run.attempts),
        charts.dump_times(run.attempts),
        charts.image_sizes(run.attempts),
        charts.pass_rates([*past.counts, now]) if past.trend else None,
    )
    return [(chart, Markup(chart.svg)) for chart in drawn if chart is not None]


def _userlands(cells: pd.DataFrame) -> list[str]:
    """Each userland with the CRIU that its cells name."""
    found = []
    for name in dict.fromkeys(cells["userland"]):
        criu = distinct(cells.loc[cells["userland"] == name, "criu"])
        found.append(f"{name} with CRIU {criu}" if criu else str(name))
    return found


def style_sheet() -> str:
    """The page's style, in one piece."""
    return CHART_CSS + _assets("style", _STYLES)


def script_text() -> str:
    """The page's script, in one piece and in one scope of its own."""
    return f'(() => {{\n"use strict";\n{_assets("script", _SCRIPTS)}}})();\n'


def _assets(folder: str, names: tuple[str, ...]) -> str:
    place = resources.files("harness.report.page").joinpath(folder)
    return "".join(place.joinpath(name).read_text("utf-8") for name in names)


@cache
def _environment() -> Environment:
    return environment("harness.report", "page", SHOWN)


def _lines(said: tuple[str, ...]) -> Markup:
    """Lines that have passed `visible`, each escaped, one below the other."""
    return Markup("\n").join(said)


def _whole(text: str) -> Markup:
    """All of a text that is longer than what the environment lets through."""
    return Markup.escape(visible(text, _WHOLE))
