"""`summary.md`: what a GitHub job shows. The state first, then counts, changes and causes, and never too long.

GitHub refuses a summary of more than 1 MiB a step and lets the job stay green, so this one is cut well below that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import pandas as pd
from tabulate import tabulate

from harness.report import frames, markdown
from harness.report.compare import Comparison
from harness.report.markup import plain
from harness.report.results import results
from harness.report.rundir import Run
from harness.report.status import Status

FILE = "summary.md"
MOST_BYTES = 900_000
"""GitHub's limit is 1,048,576; what a step writes besides this has room."""


def render(run: Run, cells: pd.DataFrame, comparison: Comparison | None = None) -> str:
    """The summary, at most `MOST_BYTES` of UTF-8; a summary that was cut says so and where the rest is."""
    return _fit(_lines(run, cells, comparison))


def _lines(run: Run, cells: pd.DataFrame, comparison: Comparison | None) -> Iterator[str]:
    yield f"### {markdown.state(run, cells, comparison)}"
    yield ""
    yield from _counts(cells).splitlines()
    yield ""
    if comparison is not None:
        yield from markdown.changes(comparison)
        yield ""
    yield from markdown.causes(frames.causes(cells))
    yield ""
    for block in markdown.matrices(run, cells):
        yield from block.splitlines()
        yield ""


def _counts(cells: pd.DataFrame) -> str:
    """How many cells of each status, by userland and mode."""
    tallies: dict[tuple[str, str], Counter[Status]] = {}
    for one in results(cells):
        tallies.setdefault((one.userland, one.mode), Counter())[one.status] += 1
    rows = [
        [plain(userland), plain(mode), *(tally[status] for status in Status), sum(tally.values())]
        for (userland, mode), tally in tallies.items()
    ]
    head = ["userland", "mode", *map(str, Status), "cells"]
    return tabulate(rows, headers=head, tablefmt="github", disable_numparse=True)


def _fit(lines: Iterable[str]) -> str:
    kept: list[str] = []
    room, left_out = MOST_BYTES - 200, 0
    for line in lines:
        room -= len(line.encode("utf-8")) + 1
        if room < 0 or left_out:
            left_out += 1
        else:
            kept.append(line)
    if left_out:
        kept += [
            "",
            f"Cut here: {left_out:,} more lines do not fit. matrix.json and matrix.md have all of it.",
        ]
    return "\n".join(kept).rstrip("\n") + "\n"
