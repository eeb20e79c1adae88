"""The site's own pages: the list of runs, the way to the newest, the page for what is not there. No script."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from harness.publish.feeds import ATOM_FILE, JSON_FILE, page_of
from harness.publish.record import FILE as HISTORY
from harness.publish.record import Entry, Record
from harness.report.chart_style import CHART_CSS
from harness.report.charts import pass_rates
from harness.report.html import environment, policy_hash
from harness.report.status import Status

_SHOWN = 300
"""Characters of a text."""
_CAUSES = 40
_CHARTED = 90
"""Runs in the picture."""


def index(title: str, record: Record, badge: str | None) -> str:
    """The first page: the newest state, the trend, every run, the causes that came last."""
    runs = [_row(entry) for entry in record.runs]
    chart = pass_rates([entry.counts for entry in reversed(record.runs)], most=_CHARTED)
    return _render(
        "index.html.j2",
        title=title,
        newest=next((row for row in runs if row["page"]), None),
        runs=runs,
        chart=chart and Markup(chart.svg),  # escaped where it was drawn
        causes=record.causes[:_CAUSES],
        more=max(0, len(record.causes) - _CAUSES),
        pages={entry.folder: _link(entry) for entry in record.runs if entry.pages},
        names={entry.folder: entry.name for entry in record.runs},
        badge=badge,
        files={"atom": ATOM_FILE, "json": JSON_FILE, "history": HISTORY},
    )


def forward(page: str) -> str:
    """A page that leads on to another one, as every static host and a browser without a server can.

    `page` is an address whose special characters are quoted.
    """
    return _render("forward.html.j2", page=Markup(page))


def missing() -> str:
    """What a host may show for an address that is not there, e.g. a log that is no longer kept."""
    return _render("missing.html.j2")


def _link(entry: Entry) -> Markup:
    """Quoted already, and of no use if it were cut."""
    return Markup(page_of(entry))


def _row(entry: Entry) -> dict[str, Any]:
    rate = entry.counts.rate
    return {
        "entry": entry,
        "page": _link(entry) if entry.pages else None,
        "began": entry.when.strftime("%Y-%m-%d %H:%M"),
        "took": None if entry.finished is None else str(entry.updated - entry.when).split(".")[0],
        "rate": "" if rate is None else f"{int(rate * 1000) / 10:.1f} %",  # never rounded up to 100 %
        "counts": [(str(status), entry.count(status)) for status in Status],
    }


def _render(template: str, **values: Any) -> str:  # noqa: ANN401
    templates = _templates()
    style = templates.get_template("style.css.j2").render(charts=Markup(CHART_CSS))
    return templates.get_template(template).render(
        # Ours, not the guest's: the hash in the policy is of exactly this text.
        style=Markup(style),
        style_hash=policy_hash(style),
        statuses=[str(status) for status in Status],
        **values,
    )


@cache
def _templates() -> Environment:
    return environment("harness.publish", "templates", _SHOWN)
