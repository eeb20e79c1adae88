"""What the history of earlier runs answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ledgers
import pytest
from past_nights import FIRST, MOVE, ends, fails, night, nights, passes

from harness.history import History, flips, history
from harness.history.past import PastRun, Strip
from harness.matrix.cell import Outcome
from harness.report import rundir
from harness.report.compare import ChangeKind, compare, headline
from harness.report.scope import Scope
from harness.report.status import Status, status_of
from harness.report.write import summarise
from harness.verdict.verdict import Verdict

pytestmark = pytest.mark.usefixtures("known_once")


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
