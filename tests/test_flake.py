"""The comparison of many runs of one diagonal, on ledgers made up for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import ledgers
import pytest

from benchmarks import flake
from harness.matrix.cell import Cell, Isolation, Outcome, Phase
from harness.matrix.ledger import Attempt, read

KERNEL = "debian-6.12"


def diagonal(scenario: str) -> Cell:
    return Cell("trixie", "cold", scenario, KERNEL, KERNEL)


def red(scenario: str) -> list[Attempt]:
    """A cell that failed twice, the second time in a guest of its own."""
    first = ledgers.attempt(diagonal(scenario), Outcome.FAIL, phase=Phase.CHECK, error="lost", final=False)
    first = replace(first, signature="lost")
    return [first, replace(first, attempt=2, final=True, isolation=Isolation.BOOT)]


def green(*scenarios: str) -> list[Attempt]:
    cells = [Cell.baseline("trixie", name, KERNEL) for name in scenarios] + [*map(diagonal, scenarios)]
    return [ledgers.attempt(cell) for cell in cells]


def row_of(rows: list[flake.Row], scenario: str) -> flake.Row:
    return next(row for row in rows if row.cell == diagonal(scenario))


def compared(*runs: list[Attempt]) -> list[flake.Row]:
    return flake.compare([flake.verdicts(run) for run in runs])


def test_steady_verdicts_have_not_changed() -> None:
    run = green("pipes", "tcp") + red("tmpfile")
    rows = compared(run, run, run)
    assert [row.changed for row in rows] == [False] * 5
    assert row_of(rows, "tmpfile").outcomes == {"fail": 3}
    assert row_of(rows, "tmpfile").retried == 3


def test_another_outcome_is_a_change() -> None:
    rows = compared(green("pipes"), red("pipes") + green("pipes")[:1])
    assert row_of(rows, "pipes").changed
    assert row_of(rows, "pipes").outcomes == {"pass": 1, "fail": 1}


def test_a_second_attempt_with_the_same_outcome_is_a_change() -> None:
    """The outcome alone would hide a cell that now and then needs two attempts."""
    once = [replace(red("tcp")[0], final=True)]
    rows = compared(once, red("tcp"))
    assert row_of(rows, "tcp").outcomes == {"fail": 2}
    assert row_of(rows, "tcp").changed


def test_the_number_of_further_attempts_is_none() -> None:
    third = replace(red("tcp")[1], attempt=3)
    rows = compared(red("tcp"), [red("tcp")[0], replace(red("tcp")[1], final=False), third])
    assert not row_of(rows, "tcp").changed


def test_a_cell_that_a_run_lacks_is_a_change() -> None:
    rows = compared(green("pipes", "tcp"), green("pipes"))
    assert row_of(rows, "tcp").outcomes == {"pass": 1, "missing": 1}
    assert row_of(rows, "tcp").changed
    unfinished = compared(green("tcp"), green("tcp")[:1] + red("tcp")[:1])
    assert row_of(unfinished, "tcp").outcomes == {"pass": 1, "missing": 1}


def test_time_is_that_of_all_attempts() -> None:
    rows = compared(red("tcp"), red("tcp"))
    assert row_of(rows, "tcp").verdicts[0].seconds == pytest.approx(2 * (0.15 + 0.5 + 0.2))


def test_only_baselines_worth_a_line_are_shown() -> None:
    bad = ledgers.attempt(Cell.baseline("trixie", "tcp", KERNEL), Outcome.FAIL)
    rows = flake.shown(compared(green("pipes", "tcp"), [*green("pipes"), bad, green("tcp")[1]]))
    assert [(row.cell.scenario, row.cell.is_baseline) for row in rows] == [
        ("tcp", True),
        ("pipes", False),
        ("tcp", False),
    ]


def test_table_names_what_changed() -> None:
    rows = flake.shown(compared(green("pipes", "tcp"), green("pipes") + green("tcp")[:1] + red("tcp")))
    lines = flake.table(rows, markdown=True).splitlines()
    assert [cell.strip() for cell in lines[0].strip("|").split("|")] == [
        "scenario", "pass", "fail", "tried twice", "s, mean", "s, most", "verdict",
    ]  # fmt: skip
    tcp = next(line for line in lines if line.startswith("| tcp"))
    assert [cell.strip() for cell in tcp.strip("|").split("|")] == [
        "tcp",
        "1",
        "1",
        "1",
        "1.3",
        "1.7",
        "changed",
    ]
    assert "changed" not in next(line for line in lines if line.startswith("| pipes"))


def test_another_reason_is_told_and_is_no_other_verdict() -> None:
    other = [replace(one, error="gained", signature="gained") for one in red("tcp")]
    rows = compared(red("tcp"), other, red("tcp"))
    assert not row_of(rows, "tcp").changed
    assert row_of(rows, "tcp").signatures == ["lost", "gained"]
    assert "2 reasons" in flake.table(rows)
    assert "reasons" not in flake.table(compared(red("tcp"), red("tcp")))


def test_runs_on_different_kernels_are_told_apart() -> None:
    other = ledgers.attempt(Cell("trixie", "cold", "tcp", "debian-6.1-newest", "debian-6.1-newest"))
    assert len(flake.kernels(green("tcp"))) == 1
    assert len(flake.kernels([*green("tcp"), other])) == 2


def test_a_run_is_finished_when_it_says_so(tmp_path: Path) -> None:
    run = ledgers.write_run(tmp_path / "run-01", green("tcp"))
    assert flake.finished(run)
    assert row_of(compared(list(read(run)), green("tcp")), "tcp").outcomes == {"pass": 2}
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"finished": None}))
    assert not flake.finished(run)
    assert not flake.finished(tmp_path / "run-02")


def test_a_run_that_does_not_finish_says_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)run-01 ended with [1-9].*no-such-kernel"):
        flake.repeat(tmp_path / "run-01", ["--kernels", "no-such-kernel"])
    assert not flake.finished(tmp_path / "run-01")


def test_a_record_gives_back_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flake, "ROOT", tmp_path)
    runs = [flake.verdicts(green("pipes", "tcp")), flake.verdicts(green("pipes") + red("tcp"))]
    path = flake.write(flake.compare(runs), KERNEL, {"b" * 64, "a" * 64}, len(runs))
    record = flake.recorded(path)
    again = flake.compare(record.runs)
    assert record.builds == {"a" * 64, "b" * 64}
    assert [row.changed for row in again] == [row.changed for row in flake.compare(runs)]
    assert row_of(again, "tcp").outcomes == {"pass": 1, "fail": 1}
    assert row_of(again, "tcp").retried == 1
    assert row_of(again, "tcp").verdicts[1].seconds == pytest.approx(1.7)
    assert [verdict.signature for verdict in row_of(again, "tcp").verdicts] == [None, "lost"]
    assert json.loads(path.read_text())["builds"] == ["a" * 64, "b" * 64]
    assert len(path.read_text().splitlines()) < 30


@pytest.mark.parametrize("text", ["{}", "not json", '{"runs": 2, "cells": [{"cell": "x"}]}', "[]"])
def test_another_file_is_no_record(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=r"no record|Expecting value|USERLAND"):
        flake.recorded(tmp_path / "x.json")
