"""Two runs side by side: no lab error is a regression, no failure hides, and what makes it unfair is said."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ledgers
import pytest

from harness.matrix.cell import Cell, Outcome, Phase, Reason
from harness.matrix.ledger import Attempt
from harness.report import write
from harness.report.compare import Change, ChangeKind, Comparison, compare, headline
from harness.report.scope import Scope
from harness.report.status import Group, Status, status_of
from harness.report.write import Summary, summarise
from harness.verdict.verdict import Verdict

OLD, NEW = "debian-6.1-oldest", "debian-6.12"
CELL = Cell("trixie", "cold", "redis", OLD, NEW)
DIAGONALS = (replace(CELL, destination=OLD), replace(CELL, source=NEW))
SOCKETS = "Error (criu/sockets.c:628): sockets: Can't set 1:72 (len 4): Protocol not available"
SEGFAULT = "Error (criu/cr-restore.c:1480): 2817 killed by signal 11: Segmentation fault"

Facts = dict[str, Any]


def passes(*cells: Cell) -> list[Attempt]:
    return [ledgers.attempt(cell) for cell in cells]


def fails(cell: Cell, error: str = SOCKETS) -> Attempt:
    return ledgers.attempt(cell, Outcome.FAIL, phase=Phase.RESTORE, error=error)


ENDS: dict[str, list[Attempt]] = {
    "absent": [],
    "pass": passes(CELL),
    "fail": [fails(CELL)],
    "lab error": [ledgers.attempt(CELL, Outcome.ERROR, error="no guest")],
    "lab skip": [ledgers.attempt(CELL, Outcome.SKIP, error="no guest", reason=Reason.LAB)],
    "flaky": [ledgers.attempt(CELL, Outcome.FLAKY)],
    "skip": [ledgers.attempt(CELL, Outcome.SKIP, error="no package")],
    "undetermined": [fails(CELL)],
}
INCONCLUSIVE = ("lab error", "lab skip", "flaky", "skip", "undetermined")
EXPECTED: dict[tuple[str, str], str | None] = {
    ("pass", "fail"): "regression",
    ("fail", "pass"): "fixed",
    ("fail", "fail"): "still failing",
    ("absent", "fail"): "new failure",
    ("absent", "pass"): "appeared",
    ("pass", "absent"): "disappeared",
    ("fail", "absent"): "disappeared",
    **{(end, "fail"): "new failure" for end in INCONCLUSIVE},
    **{(end, "pass"): "new pass" for end in INCONCLUSIVE},
    **{("absent", end): "appeared" for end in INCONCLUSIVE},
    **{(end, "absent"): "disappeared" for end in INCONCLUSIVE},
    **{("pass", end): "lost: it passed" for end in INCONCLUSIVE},
    **{("fail", end): "lost: it failed" for end in INCONCLUSIVE},
}


def run(directory: Path, tried: list[Attempt], facts: Facts | None = None) -> Summary:
    return summarise(ledgers.write_run(directory, tried, facts=facts))


def against(before: Summary, after: Summary) -> Comparison:
    return compare(before.run, before.cells, after.run, after.cells)


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Summary, Summary, dict[Cell, str]]:
    """Two nights, and what is known to differ."""
    made, where = ledgers.nights(8, 12), tmp_path_factory.mktemp("nights")
    return summarise(made.before.write(where / "a")), summarise(made.after.write(where / "b")), made.changes


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Summary]:
    """A run for each way in which the cell can end, its controls passing but where none may."""
    where = tmp_path_factory.mktemp("ends")
    return {
        end: run(where / end, tried + ([] if end == "undetermined" else passes(*DIAGONALS)))
        for end, tried in ENDS.items()
    }


@pytest.mark.parametrize(("was", "now"), list(itertools.product(ENDS, repeat=2)))
def test_every_pair_of_ends_has_its_kind(ends: dict[str, Summary], was: str, now: str) -> None:
    found = against(ends[was], ends[now])
    told = [str(change.kind) for change in found.changes if change.cell == CELL]
    told += [f"lost: it {'passed' if one.passed else 'failed'}" for one in found.lost if one.cell == CELL]
    expected = EXPECTED.get((was, now))
    assert told == ([expected] if expected else [])


def test_a_baseline_that_fails_is_an_answer(tmp_path: Path) -> None:
    cell = Cell.baseline("trixie", "redis", NEW)
    broken = run(tmp_path / "b", [ledgers.attempt(cell, Outcome.FAIL, reason=Reason.CHECK)])
    assert broken.cells["verdict"].tolist() == [Verdict.WORKLOAD_NEEDS]
    (change,) = against(run(tmp_path / "a", passes(cell)), broken).changes
    assert change.kind is ChangeKind.REGRESSION


def test_only_a_compatible_cell_is_a_pass() -> None:
    groups = {verdict: status_of(verdict, Outcome.FAIL).group for verdict in Verdict}
    assert [verdict for verdict, group in groups.items() if group is Group.PASS] == [Verdict.COMPATIBLE]
    for status in Status:
        answered = {"PASS": Group.PASS, "FAIL": Group.FAIL}
        assert status.group is answered.get(status.terms.kcidb, Group.INCONCLUSIVE)
        assert (status.terms.junit == "failure") is (status is Status.FAIL)
        assert (status.terms.ok and status.terms.ktap is None) is (status is Status.PASS)


def test_a_failure_with_another_reason_is_told(tmp_path: Path) -> None:
    before = run(tmp_path / "a", [*passes(*DIAGONALS), fails(CELL), fails(replace(CELL, scenario="tcp"))])
    after = run(
        tmp_path / "b", [*passes(*DIAGONALS), fails(CELL, SEGFAULT), fails(replace(CELL, scenario="tcp"))]
    )
    (change,) = against(before, after).changes  # tcp has no controls
    assert (change.kind, change.other_cause) == (ChangeKind.STILL_FAILING, True)
    assert change.signature == change.after_signature != change.before_signature
    assert "1 failing for another reason" in headline(after.run, after.cells, against(before, after))


def test_the_same_failure_with_another_pid_is_the_same(tmp_path: Path) -> None:
    before = run(tmp_path / "a", [*passes(*DIAGONALS), fails(CELL, SEGFAULT)])
    after = run(tmp_path / "b", [*passes(*DIAGONALS), fails(CELL, SEGFAULT.replace("2817", "99"))])
    (change,) = against(before, after).changes
    assert not change.other_cause


def test_nights_differ_in_what_was_changed_and_in_nothing_else(
    nights: tuple[Summary, Summary, dict[Cell, str]],
) -> None:
    before, after, changes = nights
    found = against(before, after)
    told = {change.cell: str(change.kind) for change in found.changes if not _stays(change)}
    assert told | {one.cell: "lost" for one in found.lost} == changes
    assert {*changes.values()} == {*map(str, ChangeKind), "lost"}
    assert any(map(_stays, found.changes))
    assert found.fair
    (kernel,) = found.kernels_changed
    assert re.fullmatch(
        r"debian-6\.6 was 6\.6\.7-cloud-amd64 \(6\.6\.7-1\) sha256 00070007\w+ and is .* sha256 00070008\w+",
        kernel,
    )


def _stays(change: Change) -> bool:
    return change.kind is ChangeKind.STILL_FAILING and not change.other_cause


def test_changes_are_grouped_by_what_they_are_about(
    nights: tuple[Summary, Summary, dict[Cell, str]],
) -> None:
    found = against(*nights[:2])
    causes = found.by_cause(ChangeKind.REGRESSION, ChangeKind.NEW_FAILURE)
    assert list(causes) == ["timerfd.c: timerfd N: Can't set clock: Operation not permitted"]
    every = found.by_cause()
    assert sum(map(len, every.values())) == len(found.changes)
    sizes = [len(changes) for changes in every.values()]
    assert sizes == sorted(sizes, reverse=True)
    kinds = [change.kind for change in found.changes]
    assert kinds == sorted(kinds, key=list(ChangeKind).index)


def test_of_two_runs_of_one_set_up_the_comparison_is_fair(tmp_path: Path) -> None:
    found = against(run(tmp_path / "a", passes(CELL)), run(tmp_path / "b", passes(CELL)))
    assert (found.fair, found.differences, found.unknown, found.changes) == (True, (), (), ())
    assert found.scope.digest == found.before_scope.digest


def _with(change: Callable[[Facts], object]) -> Facts:
    facts = ledgers.run_facts((OLD, NEW), ("redis",), 1)
    change(facts)
    return facts


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f["userlands"]["trixie"].update(criu="4.2"), "CRIU of trixie was 4.1.1 and is 4.2"),
        (lambda f: f["userlands"]["trixie"].update(sha256="c0"), f"the image of trixie was {'ab' * 32} and is c0"),
        (lambda f: f["plan"]["workloads"].update(redis="new"), "the version of scenario redis was"),
        (lambda f: f.update(cpu="Icelake"), "the CPU model was Haswell-noTSX and is Icelake"),
        (lambda f: f.update(accelerator="kvm"), "the accelerator was tcg and is kvm"),
        (lambda f: f["plan"].update(isolation="shared"), "the isolation was reset and is shared"),
        (lambda f: f["versions"].update(qemu="10.0"), "QEMU was 7.2.19 and is 10.0"),
        (lambda f: f["plan"]["guest"].update(kernel_arguments=""), "kernel_arguments was mitigations=off and is empty"),
        (lambda f: f["plan"]["guest"].update(memory=1 << 30), "memory was 536870912 and is 1073741824"),
    ],
)  # fmt: skip
def test_what_makes_it_unfair_is_said(tmp_path: Path, change: Callable[[Facts], object], words: str) -> None:
    before, after = run(tmp_path / "a", passes(CELL)), run(tmp_path / "b", passes(CELL), _with(change))
    found = against(before, after)
    assert not found.fair
    assert len(found.differences) == 1
    assert words in found.differences[0]
    assert found.unknown == ()
    assert found.scope.digest != found.before_scope.digest
    assert "in unlike conditions" in headline(after.run, after.cells, found)


def test_what_only_one_run_has_is_not_unfair(tmp_path: Path) -> None:
    more = _with(
        lambda f: (
            f["userlands"].update(sid={"criu": "9", "sha256": "c"}),
            f["plan"]["workloads"].update(x="y"),
        )
    )
    before, after = run(tmp_path / "a", passes(CELL)), run(tmp_path / "b", passes(CELL), more)
    assert against(before, after).fair
    assert against(after, before).fair


def test_an_older_run_loads_and_what_it_does_not_say_is_unknown(tmp_path: Path) -> None:
    older = _with(lambda f: (f["plan"].pop("workloads"), f["plan"].pop("guest")))
    before, after = run(tmp_path / "a", passes(CELL), older), run(tmp_path / "b", passes(CELL))
    found = against(before, after)
    assert found.differences == ()
    assert found.unknown == ("what scenarios run: not recorded", "what guests are made of: not recorded")
    assert not found.fair
    assert "in conditions not known to be alike" in headline(after.run, after.cells, found)
    bare = against(run(tmp_path / "c", passes(CELL), {}), after)
    assert not bare.fair
    assert "the CPU model: not recorded" in bare.unknown


@pytest.mark.parametrize("kind", ["cells", "unfinished", "lab"])
def test_the_headline_never_says_that_all_is_well_when_it_is_not(tmp_path: Path, kind: str) -> None:
    every = run(tmp_path / "all", passes(CELL), ledgers.run_facts((OLD, NEW), ("redis",), 1))
    assert headline(every.run, every.cells) == "all 1 cell compatible"
    facts = ledgers.run_facts((OLD, NEW), ("redis",), 3 if kind == "cells" else 1)
    tried = [ledgers.attempt(CELL, Outcome.ERROR)] if kind == "lab" else passes(CELL)
    if kind == "unfinished":
        facts["finished"] = None
    told = run(tmp_path / "run", tried, facts)
    said = headline(told.run, told.cells)
    assert {
        "cells": "1 of 3 cells compatible, 2 have no result",
        "unfinished": "all 1 cell compatible; the run has not finished",
        "lab": "0 of 1 cell compatible, 1 lab error",
    }[kind] == said


def test_a_run_without_any_cell_compares(tmp_path: Path) -> None:
    empty, full = run(tmp_path / "a", []), run(tmp_path / "b", passes(CELL))
    assert [change.kind for change in against(full, empty).changes] == [ChangeKind.DISAPPEARED]
    assert "1 not run again" in headline(empty.run, empty.cells, against(full, empty))


def test_scope_reads_any_run(tmp_path: Path) -> None:
    odd = _with(lambda f: f.update(plan=[], versions=None, userlands={"trixie": None}))
    scope = Scope.of(run(tmp_path, passes(CELL), odd).run)
    assert (scope.userlands, scope.workloads, scope.qemu) == ((("trixie", None, None),), None, None)
    assert write.summarise(tmp_path).planned == 1
