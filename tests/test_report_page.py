"""What the page's script is given: packed columns, patterns, data that cannot leave its element."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest

from harness.history.history import History
from harness.matrix.cell import Cell
from harness.report.page import pattern, payload
from harness.report.page.pack import ALPHABET, Column, pack
from harness.report.page.tries import names
from harness.report.write import write_reports
from tests import ledgers


def unpacked(column: Column) -> list[int]:
    """As `script/columns.js` does it."""
    numbers = []
    for start in range(0, len(column["text"]), column["width"] or 1):
        value = 0
        for sign in column["text"][start : start + column["width"]]:
            value = value * len(ALPHABET) + ALPHABET.index(sign)
        numbers.append(value)
    return numbers


@pytest.mark.parametrize("numbers", [[0, 1, 86], [87, 0, 86], [7568, 7569, 3], [10**12, 0, 1]])
def test_columns_come_back(numbers: list[int]) -> None:
    column = pack(numbers)
    assert unpacked(column) == numbers
    assert json.dumps(column["text"]) == f'"{column["text"]}"'
    assert not set(column["text"]) & set("<>&'\"\\")


def test_a_column_of_nothing_takes_no_room() -> None:
    assert pack([0] * 1000) == pack([]) == {"width": 0, "text": ""}


@pytest.mark.parametrize(
    "cell",
    [
        Cell("trixie", "cold", "cpu", "debian-6.1", "debian-6.1-oldest"),
        Cell("trixie", "cold", "c", "s", "d"),
        Cell("trixie", "baseline", "log", "debian-6.1", "debian-6.1"),
        Cell("\x02s\x03", "cold", "{n}", "\x02", "d\x03"),
    ],
)
def test_patterns_give_the_text_back(cell: Cell) -> None:
    own = names(cell, 2)
    back = {mark: text for text, mark in own} | {
        mark: text for mark, text in (("s", cell.source), ("d", cell.destination)) if text.isprintable()
    }
    for text in (
        f"logs/{cell.userland}/{cell.mode}/{cell.scenario}/{cell.source}/{cell.destination}/2/dump.log",
        f"the control {cell} was not run, {cell.destination} is older than {cell.source}",
    ):
        if not text.isprintable():
            continue
        taken = pattern.take_out(text, own)
        assert re.sub("\x02(\\w)\x03", lambda found: back[found[1]], taken) == text
        assert len(taken) < len(text) or len(cell.source) == 1


def test_data_cannot_end_its_element() -> None:
    text = payload.embed({"a": "</script><!--<script>&amp;\u2028\u2029\udc80"})
    assert text.isascii()
    assert not set(text) & set("<>&")
    assert json.loads(text) == {"a": "</script><!--<script>&amp;\u2028\u2029\udc80"}


def test_a_broken_history_costs_the_report_nothing_but_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = ledgers.nights(7, 14).before.write(tmp_path / "reports" / "night")
    (tmp_path / "reports" / "latest").symlink_to("night")

    def broken(*_: object, **__: object) -> History:
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr(History, "open", broken)
    assert write_reports(night).cells.empty is False
    told = " ".join((night / "index.html").read_text("utf-8").split())
    assert "Earlier runs cannot be told: reports: database disk image is malformed" in told


def test_a_run_outside_a_reports_folder_has_no_past_and_makes_no_index(tmp_path: Path) -> None:
    night = ledgers.nights(7, 14).before.write(tmp_path / "night")
    write_reports(night)
    assert "Earlier runs" not in (night / "index.html").read_text("utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["night"]
