"""The index over earlier runs: kept true whatever happens to the folders, and what it answers."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import ledgers
import pytest

from harness.history import History, flips, history, index, reading
from harness.history.past import PastRun, Strip
from harness.matrix.cell import Cell, Outcome, Phase
from harness.matrix.ledger import Attempt
from harness.report import rundir
from harness.report.compare import ChangeKind, compare, headline
from harness.report.scope import Scope
from harness.report.status import Status, status_of
from harness.report.write import summarise
from harness.verdict.known import load
from harness.verdict.verdict import Verdict

LABELS = tuple(label for label, _, _ in ledgers.KERNELS)
MOVE = Cell("trixie", "cold", "redis", "debian-6.1-oldest", "debian-6.12")
SOCKETS = "Error (criu/sockets.c:628): sockets: Can't set 1:72 (len 4): Protocol not available"
LOST = "AssertionError: process 4242 did not report within 20 s"
KNOWN = cache(load)
FIRST = datetime(2026, 11, 1, 2, 17, tzinfo=UTC)


@pytest.fixture(autouse=True)
def known_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """`known.yaml` takes a tenth of a second to read, and every test opens a history of its own."""
    monkeypatch.setattr(index, "load", KNOWN)


def with_controls(cell: Cell, *tried: Attempt) -> list[Attempt]:
    """The attempts, and the diagonals that make their verdict certain."""
    controls = (replace(cell, destination=cell.source), replace(cell, source=cell.destination))
    return [*map(ledgers.attempt, controls), *tried]


def night(reports: Path, number: int, tried: Sequence[Attempt], **facts: Any) -> Path:  # noqa: ANN401
    """A finished run of the night `number`."""
    began = FIRST + timedelta(days=number)
    record = ledgers.run_facts(LABELS, ledgers.SCENARIOS, len(tried))
    record |= {"id": f"{began:%Y%m%d-%H%M%S}-{number:04x}", "started": began.isoformat()} | facts
    return ledgers.write_run(reports / f"{began:%Y%m%d-%H%M%S}-{number:04x}", list(tried), facts=record)


def fails(cell: Cell = MOVE, error: str = SOCKETS, phase: Phase = Phase.RESTORE) -> list[Attempt]:
    """A run in which the cell does not come back, and its diagonals do."""
    return with_controls(cell, ledgers.attempt(cell, Outcome.FAIL, phase=phase, error=error))


def passes(cell: Cell = MOVE) -> list[Attempt]:
    """A run in which the cell comes back."""
    return with_controls(cell, ledgers.attempt(cell))


def ends(outcome: Outcome, cell: Cell = MOVE) -> list[Attempt]:
    """A run in which the cell ends so."""
    return with_controls(cell, ledgers.attempt(cell, outcome))


def nights(reports: Path, *runs: list[Attempt]) -> list[Path]:
    """Runs, one a night."""
    return [night(reports, number, tried) for number, tried in enumerate(runs)]


def test_a_strip_is_the_last_runs_oldest_first(tmp_path: Path) -> None:
    nights(
        tmp_path, passes(), fails(), ends(Outcome.ERROR), [], fails(replace(MOVE, scenario="tcp")), passes()
    )
    with History.open(tmp_path) as history:
        assert history.notes == ()
        strip = history.strip([MOVE])[str(MOVE)]
        assert strip.verdicts == (
            Verdict.COMPATIBLE, Verdict.CROSS_KERNEL_BREAKAGE, Verdict.LAB_ERROR, Verdict.COMPATIBLE,
        )  # fmt: skip
        assert [run.began.day for run in strip.runs] == [1, 2, 3, 6]
        assert [(mark.run.began.day, mark.verdict) for mark in strip.marks][-1] == (6, Verdict.COMPATIBLE)
        assert history.strip([MOVE], last=2)[str(MOVE)].verdicts == strip.verdicts[-2:]
        every = history.strip()
        assert every[str(MOVE)].verdicts == (*strip.verdicts[:3], None, strip.verdicts[3])
        assert every[str(replace(MOVE, scenario="tcp"))].verdicts[3] is Verdict.CROSS_KERNEL_BREAKAGE
        assert history.strip(["trixie/cold/nobody/a→b"])["trixie/cold/nobody/a→b"].verdicts == ()


def test_many_cells_are_found_as_few_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nights(tmp_path, [*passes(), *fails(replace(MOVE, scenario="tcp"))], fails())
    with History.open(tmp_path) as found:
        few = found.strip([MOVE])
        monkeypatch.setattr(history, "_MANY", 0)
        assert found.strip([MOVE]) == few
        assert len(found.strip()) == 6


def test_history_ends_before_a_run_and_leaves_what_the_caller_reads(tmp_path: Path) -> None:
    _, second, third = nights(tmp_path, passes(), fails(), fails())
    with History.open(tmp_path, leave=third) as history:
        assert len(history.runs()) == 2
        assert history.strip([MOVE], before=rundir.load(second))[str(MOVE)].verdicts == (Verdict.COMPATIBLE,)
        assert len(history.trend(before=rundir.load(third))) == 2
        assert history.signatures(before=rundir.load(second)) == {}
    with History.open(tmp_path) as history:
        assert len(history.runs()) == 3


def test_a_trend_counts_verdicts_and_its_rate(tmp_path: Path) -> None:
    nights(tmp_path, passes(), fails(), [])
    with History.open(tmp_path) as history:
        good, bad, empty = history.trend()
        assert history.trend(last=1) == (empty,)
    assert (good.pass_rate, good.statuses[Status.FAIL], good.cells) == (1.0, 0, 3)
    assert (bad.pass_rate, bad.statuses[Status.FAIL]) == (2 / 3, 1)
    assert good.headline == "all 3 cells compatible"
    assert bad.headline == "2 of 3 cells compatible, 1 fail"
    assert bad.verdicts[Verdict.CROSS_KERNEL_BREAKAGE] == 1
    assert empty.pass_rate is None
    assert bad.counts.total == 3
    assert good.finished == datetime(2026, 11, 20, 20, 3, 41, tzinfo=UTC)


def test_sightings_of_a_signature(tmp_path: Path) -> None:
    other = replace(MOVE, scenario="tcp")
    hostile = "Error (criu/x.c:1): \udc80\x00 <b>"
    nights(tmp_path, passes(), fails(), fails(other), fails(error=hostile))
    with History.open(tmp_path) as history:
        signature = "sockets.c: sockets: Can't set 1:72 (len 4): Protocol not available"
        seen = history.first_seen(signature)
        assert seen is not None
        assert (seen.first.began.day, seen.last.began.day, seen.runs, seen.cells) == (2, 3, 2, 2)
        assert seen.verdicts == {Verdict.CROSS_KERNEL_BREAKAGE}
        assert history.first_seen("never") is None
        newest, *rest = history.signatures().values()
        assert [one.signature for one in rest] == [signature]
        # NUL and the lone surrogate come back as they were
        assert newest.signature == "x.c: \udc80\x00 <b>"


def test_what_broke_is_what_fails_and_did_not_in_the_run_before(tmp_path: Path) -> None:
    tcp, cpu, new = (replace(MOVE, scenario=name) for name in ("tcp", "cpu", "new"))
    nights(tmp_path, [*passes(), *fails(tcp), *passes(cpu)], passes(replace(MOVE, scenario="alien")),
           [*fails(), *fails(tcp), *ends(Outcome.ERROR, cpu), *fails(new)])  # fmt: skip
    with History.open(tmp_path) as history:
        first, _, third = history.runs()
        assert history.broke(first) == (None, ())
        before, changes = history.broke(third)
        assert before == first
    broke = [(change.cell, change.before) for change in changes]
    assert broke == [(str(new), None), (str(MOVE), Verdict.COMPATIBLE)]
    assert {change.verdict for change in changes} == {Verdict.CROSS_KERNEL_BREAKAGE}
    assert {change.signature for change in changes} == {
        "sockets.c: sockets: Can't set 1:72 (len 4): Protocol not available"
    }


def test_a_run_that_was_stopped_is_none_to_compare_with(tmp_path: Path) -> None:
    night(tmp_path, 0, passes())
    night(tmp_path, 1, fails(), finished=None)
    night(tmp_path, 2, fails())
    with History.open(tmp_path) as history:
        first, _, third = history.runs()
        before, changes = history.broke(third)
        assert before == first
        assert [change.cell for change in changes] == [str(MOVE)]


def test_what_broke_agrees_with_the_comparison_of_the_two_runs(tmp_path: Path) -> None:
    made = ledgers.nights(8, 12)
    runs = [night.write(tmp_path / name) for night, name in ((made.before, "one"), (made.after, "two"))]
    before, after = map(summarise, runs)
    compared = compare(before.run, before.cells, after.run, after.cells)
    wanted = compared.of_kind(ChangeKind.REGRESSION, ChangeKind.NEW_FAILURE)
    assert len({change.kind for change in wanted}) == 2
    with History.open(tmp_path) as history:
        first, second = history.runs()
        broke = history.broke(second)[1]
        assert second.headline == headline(after.run, after.cells)
        assert second.statuses[Status.PASS] == sum(after.cells["verdict"] == "compatible")
    assert {(c.cell, c.verdict, c.before, c.signature) for c in broke} == {
        (str(c.cell), c.after, c.before, c.after_signature) for c in wanted
    }
    assert first.scope == Scope.of(before.run)


def test_unlike_runs_are_marked_and_not_hidden(tmp_path: Path) -> None:
    nights(tmp_path, passes(), passes())
    night(tmp_path, 2, passes(), cpu="max")
    night(tmp_path, 3, passes(), versions={})
    last = night(tmp_path, 4, passes())
    with History.open(tmp_path) as history:
        strip = history.strip([MOVE])[str(MOVE)]
        assert strip.fair == (True, True, False, None, True)
        assert strip.eras == (0, 0, 1, 2, 2)
        assert history.strip([MOVE], before=rundir.load(last))[str(MOVE)].fair == (True, True, False, None)


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


def strip(letters: str, eras: str | None = None) -> Strip:
    """A strip of `p`ass, `f`ail, fla`k`y, lab `e`rror, `n`eeds, `u`ndetermined, `.` nothing."""
    meant = {
        "p": Verdict.COMPATIBLE, "f": Verdict.BACKWARD_ONLY, "k": Verdict.FLAKY, "e": Verdict.LAB_ERROR,
        "n": Verdict.WORKLOAD_NEEDS, "u": Verdict.UNDETERMINED, ".": None,
    }  # fmt: skip
    verdicts = tuple(meant[letter] for letter in letters)
    scope = Scope((), None, None, None, None, None, None)
    runs = tuple(
        PastRun(str(n), str(n), FIRST + timedelta(days=n), None, 1, scope, "", {}, {})
        for n in range(len(letters))
    )
    return Strip(
        cell="cell",
        runs=runs,
        fair=(True,) * len(runs),
        eras=tuple(map(int, eras or "0" * len(runs))),
        verdicts=verdicts,
        statuses=tuple(None if verdict is None else status_of(verdict, "skip") for verdict in verdicts),
    )


@pytest.mark.parametrize(
    ("letters", "found"),
    [
        ("", (0, 0, 0)), ("pppp", (0, 0, 4)), ("ppfp", (2, 0, 4)), ("ppff", (1, 0, 4)),
        ("ppfffpp", (0, 0, 7)),  # three in a row are a breakage, and its end a fix
        ("pfefnufp", (0, 0, 5)),  # and so are they with lab errors between them
        ("pepepe", (0, 0, 3)), ("p.f.p", (2, 0, 3)), ("pkpkk", (0, 3, 5)), ("fpfpfp", (5, 0, 6)),
    ],
)  # fmt: skip
def test_flips(letters: str, found: tuple[int, int, int]) -> None:
    counted = flips.count(strip(letters))
    assert (counted.flips, counted.flaky, counted.runs) == found
    assert counted.is_suspicious is (found[0] + found[1] >= 2)
    assert counted.score == pytest.approx((found[0] + found[1]) / found[2] if found[2] else 0)


def test_a_change_between_unlike_runs_is_no_flip() -> None:
    assert flips.count(strip("ppffp", "00112")).flips == 0
    assert flips.count(strip("ppffp", "00000")).flips == 2


def test_flips_of_runs(tmp_path: Path) -> None:
    nights(tmp_path, passes(), fails(), passes(), ends(Outcome.FLAKY))
    with History.open(tmp_path) as history:
        found = history.flips([MOVE])[str(MOVE)]
        assert (found.flips, found.flaky, found.runs) == (2, 1, 4)
        assert set(history.flips()) == {str(attempt.cell) for attempt in passes()}
