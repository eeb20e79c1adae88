"""Every format that a report has: its name on the command line, its file, and the function that writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from harness.errors import ConfigError
from harness.report import (
    badge,
    changes,
    exports,
    heatmap,
    junit,
    kcidb,
    ktap,
    markdown,
    page,
    pairs,
    summary,
    terminal,
)
from harness.report.compare import Comparison
from harness.report.page import past
from harness.report.rundir import Run

Writer = Callable[[Run, pd.DataFrame, Comparison | None], str]
TEXT_FILE = "matrix.txt"


@dataclass(frozen=True)
class Format:
    """One way to write a run down."""

    file: str
    """Its name in the run's folder."""
    write: Writer
    """Given the run, its cells and what changed since another run, if that was asked for; writes nothing of the run."""


def text(
    run: Run,
    cells: pd.DataFrame,
    comparison: Comparison | None = None,
    *,
    colour: bool = False,
    width: int = terminal.WIDTH,
) -> str:
    """What the terminal shows: the matrix, then what changed; `width` is in columns."""
    matrix = terminal.render(run, cells, colour=colour, width=width)
    if comparison is None:
        return matrix
    return f"{matrix}\n{changes.render(run, cells, comparison, width=width)}"


def _page(run: Run, cells: pd.DataFrame, comparison: Comparison | None) -> str:
    """With what earlier runs in the same folder say."""
    return page.render(run, cells, comparison=comparison, past=past.of(run, cells))


FORMATS: Mapping[str, Format] = {
    "html": Format(page.FILE, _page),
    "json": Format(exports.JSON_FILE, exports.as_json),
    "csv": Format(exports.CSV_FILE, lambda _, cells, __: exports.as_csv(cells)),
    "text": Format(TEXT_FILE, text),
    "markdown": Format(markdown.FILE, markdown.render),
    "scenarios": Format(pairs.FILE, lambda run, cells, _: pairs.render(run, cells)),
    "summary": Format(summary.FILE, summary.render),
    "junit": Format(junit.FILE, lambda run, cells, _: junit.render(run, cells)),
    "ktap": Format(ktap.FILE, lambda run, cells, _: ktap.render(run, cells)),
    "kcidb": Format(kcidb.FILE, lambda run, cells, _: kcidb.render(run, cells)),
    "badge": Format(badge.FILE, badge.render),
    "picture": Format(heatmap.FILE, lambda run, cells, _: heatmap.render(run, cells)),
}


def named(name: str) -> Format:
    """The format of that name. Raises `ConfigError` that lists the names."""
    if name not in FORMATS:
        raise ConfigError(f"there is no format {name!r}; there are: {', '.join(FORMATS)}")
    return FORMATS[name]
