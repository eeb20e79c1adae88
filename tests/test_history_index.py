"""The index over earlier runs is kept true, whatever happens to the folders and to itself."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ledgers
import pytest
from past_nights import MOVE, fails, night, nights, passes

from harness.history import History, index, reading
from harness.matrix.cell import Cell
from harness.verdict.verdict import Verdict

pytestmark = pytest.mark.usefixtures("known_once")


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of folders that are read from now on."""
    seen: list[str] = []
    true_read = reading.read

    def spy(directory: Path, known: Any) -> reading.Reading:  # noqa: ANN401
        seen.append(directory.name)
        return true_read(directory, known)

    monkeypatch.setattr(reading, "read", spy)
    return seen


def test_only_what_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = nights(tmp_path, passes(), passes())
    (tmp_path / "latest").symlink_to(second.name)
    (tmp_path / "notes").mkdir()
    seen = reads(monkeypatch)
    History.open(tmp_path).close()
    assert seen == [first.name, second.name]
    History.open(tmp_path).close()
    assert len(seen) == 2
    ledgers.write_run(second, fails(), facts=json.loads((second / "run.json").read_text()))
    with History.open(tmp_path) as history:
        assert seen[2:] == [second.name]
        assert history.strip([MOVE])[str(MOVE)].verdicts[-1] is Verdict.CROSS_KERNEL_BREAKAGE
        assert len(history.runs()) == 2


def test_a_remedy_that_was_tried_changes_the_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (run,) = nights(tmp_path, fails())
    seen = reads(monkeypatch)
    History.open(tmp_path).close()
    (run / "remedies").mkdir()
    (run / "remedies" / "results.jsonl").write_text("")
    History.open(tmp_path).close()
    assert seen == [run.name] * 2


def test_other_knowledge_judges_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nights(tmp_path, fails(), passes())
    History.open(tmp_path).close()
    seen = reads(monkeypatch)
    monkeypatch.setattr(reading, "knowledge", lambda: "something new is known")
    History.open(tmp_path).close()
    assert len(seen) == 2


def test_knowledge_covers_the_rules_and_the_known_breakages() -> None:
    covered = dict(reading._rules())
    verdict = Path(reading.__file__).parent.parent / "verdict"
    for name in ("known.yaml", "attribution.py", "signature.py", "order.py"):
        assert covered[f"harness.verdict.{name}"] == (verdict / name).read_bytes()
    assert "harness.report.verdicts" in covered
    assert reading.knowledge() == reading.knowledge()


@pytest.mark.parametrize(
    "line", ["{}", "[]", "null", "7", "not json", '{"a":' * 20_000, "\x00", '{"kernels": []}'], ids=range(8)
)
def test_a_broken_run_is_told_and_harms_no_other(tmp_path: Path, line: str) -> None:
    good, bad = nights(tmp_path, passes(), passes())
    (bad / "results.jsonl").write_text(line + "\n")
    for _ in range(2):
        with History.open(tmp_path) as history:
            (note,) = history.notes
            assert note.startswith(f"{bad} is left out of the history: ")
            assert note.isprintable()
            assert [run.folder for run in history.runs()] == [good.name]
    ledgers.write_run(bad, fails(), facts=json.loads((bad / "run.json").read_text()))
    with History.open(tmp_path) as history:
        assert history.notes == ()
        assert len(history.runs()) == 2


def test_figures_that_are_none_do_not_break_a_run(tmp_path: Path) -> None:
    tried = [
        ledgers.attempt(MOVE, image_bytes=2**70),
        ledgers.attempt(MOVE, seconds={"restore": float("nan")}),
    ]
    night(tmp_path, 0, tried, started="0001-01-01T00:00:00+14:00", finished=7)
    with History.open(tmp_path) as history:
        assert history.notes == ()
        (run,) = history.runs()
        assert run.began == datetime(2026, 11, 20, 20, tzinfo=UTC)  # of the first attempt
        assert run.finished is None


def test_a_run_that_is_gone_leaves_the_history(tmp_path: Path) -> None:
    first, second = nights(tmp_path, passes(), fails())
    History.open(tmp_path).close()
    shutil.rmtree(second)
    with History.open(tmp_path) as history:
        assert history.notes == (f"{second} is gone, and with it 3 results from the history",)
        assert [run.folder for run in history.runs()] == [first.name]
        assert history.signatures() == {}
    with History.open(tmp_path) as history:
        assert history.notes == ()


def test_a_damaged_index_is_made_again(tmp_path: Path) -> None:
    nights(tmp_path, passes())
    (tmp_path / index.FILE).write_bytes(b"this is no database" * 1000)
    with History.open(tmp_path) as history:
        (note,) = history.notes
        assert "made again" in note
        assert len(history.runs()) == 1


def test_an_index_of_another_version_is_made_again(tmp_path: Path) -> None:
    nights(tmp_path, passes())
    old = sqlite3.connect(tmp_path / index.FILE)
    old.executescript("CREATE TABLE run (something); INSERT INTO run VALUES (1); PRAGMA user_version = 999")
    old.close()
    with History.open(tmp_path) as history:
        assert len(history.runs()) == 1
        assert history.connection.execute("PRAGMA user_version").fetchone() == (index.VERSION,)


def test_where_no_file_can_be_had_the_history_is_in_memory(tmp_path: Path) -> None:
    nights(tmp_path, passes())
    (tmp_path / index.FILE).mkdir()  # not even root can open it
    with History.open(tmp_path) as history:
        assert history.notes[0].endswith("all runs were read again, and the index was not kept")
        assert len(history.runs()) == 1
    assert (tmp_path / index.FILE).is_dir()


def test_an_index_that_somebody_else_is_writing_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights(tmp_path, passes())
    History.open(tmp_path).close()
    monkeypatch.setattr(index, "_PATIENCE", 0.05)
    other = sqlite3.connect(tmp_path / index.FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with History.open(tmp_path) as history:
        assert "locked" in history.notes[0]
        assert len(history.runs()) == 1
    other.execute("ROLLBACK")
    other.close()
    with History.open(tmp_path) as history:
        assert history.notes == ()


def test_two_cells_with_one_name_are_one(tmp_path: Path) -> None:
    one, other = Cell("a/b", "c", "d", "x", "y"), Cell("a", "b/c", "d", "x", "y")
    night(tmp_path, 0, [ledgers.attempt(one), ledgers.attempt(other)])
    with History.open(tmp_path) as history:
        assert history.notes == ()
        assert len(history.strip()) == 1


def test_a_reader_is_not_disturbed_by_a_writer(tmp_path: Path) -> None:
    _, second = nights(tmp_path, passes(), passes())
    with History.open(tmp_path) as reader:
        ledgers.write_run(second, fails(), facts=json.loads((second / "run.json").read_text()))
        History.open(tmp_path).close()
        assert reader.strip([MOVE])[str(MOVE)].verdicts[-1] is Verdict.CROSS_KERNEL_BREAKAGE


@pytest.mark.parametrize("text", ledgers.HOSTILE, ids=range(len(ledgers.HOSTILE)))
def test_hostile_names_come_back_as_they_were(tmp_path: Path, text: str) -> None:
    cell = replace(MOVE, scenario=text.replace("/", "|")[:80])
    night(tmp_path, 0, fails(cell, error=f"Error (criu/x.c:1): {text}"), id=text)
    with History.open(tmp_path) as history:
        assert history.runs()[0].name == text
        assert history.strip([cell])[str(cell)].verdicts == (Verdict.CROSS_KERNEL_BREAKAGE,)
