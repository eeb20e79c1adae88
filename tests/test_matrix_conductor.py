"""How often something is tried, in what kind of guest, and what is not asked at all; guests are played by a script."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from harness.matrix import plan
from harness.matrix.cell import Cell, Confirm, Isolation, Outcome, Phase, Reason
from harness.matrix.conductor import TRAIT, Conductor
from harness.matrix.ledger import Attempt, KernelIdentity, Ledger, read
from harness.matrix.life import CriuFailed, Story
from harness.matrix.plan import Kind, Task
from harness.matrix.workloads import Reference
from harness.scenario import Scenario

KERNELS = ("a", "b")
Says = Callable[[Task, Isolation], str | None]
"""The error of an attempt, None if it passes."""


class Slot:
    """In place of a worker's guests: every attempt ends as the test says."""

    says: Says
    made: list[tuple[str, Isolation]]

    def __init__(self, number: int, _lab: object, _room: int) -> None:
        self.number = number
        self.booted: frozenset[tuple[str, str]] = frozenset()

    def attempt(
        self, task: Task, number: int, isolation: Isolation, directory: Path, _checkpoint: object
    ) -> Story:
        story = Story(task, number, isolation, directory, slot=self.number)
        name = str(task.cell) if task.kind is not Kind.DUMP else f"dump {task.scenario} {task.source}"
        Slot.made.append((name, isolation))
        story.phase = {Kind.BASELINE: Phase.BASELINE, Kind.DUMP: Phase.DUMP, Kind.RESTORE: Phase.CHECK}[
            task.kind
        ]
        error = Slot.says(task, isolation)
        story.outcome = Outcome.PASS if error is None else Outcome.FAIL
        if error is not None:
            story.error, story.failure = error, CriuFailed(error)
        elif task.kind is Kind.DUMP:
            story.checkpoint = SimpleNamespace()  # type: ignore[assignment]
        return story

    def close(self) -> None:
        pass


def scenario(name: str, tags: tuple[str, ...]) -> Reference:
    module = ModuleType(name)
    module.SCENARIO = Scenario(command=("x",), tags=tags)  # type: ignore[attr-defined]
    return Reference(name, Path(f"{name}.py"), module)


def conduct(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: Says, confirm: Confirm, tags: tuple[str, ...] = ()
) -> dict[Cell, Attempt]:
    """Carry a plan of two scenarios on two kernels out; the cells' last words."""
    monkeypatch.setattr("harness.matrix.conductor.Slot", Slot)
    monkeypatch.setattr(Slot, "says", staticmethod(says), raising=False)
    monkeypatch.setattr(Slot, "made", [], raising=False)
    lab: Any = SimpleNamespace(
        directory=tmp_path,
        isolation=Isolation.RESET,
        confirm=confirm,
        scenarios={name: scenario(name, tags) for name in ("s", "t")},
        images={"u": SimpleNamespace(userland="u", packages={}, criu_version="4.1.1")},
        kernels={label: SimpleNamespace(release="6.12.1") for label in KERNELS},
        options={},
        identity=lambda label: KernelIdentity("6.12.1", None, label),
        origin=lambda *_: None,
        store=SimpleNamespace(get=lambda _origin: None),
        hardware=SimpleNamespace(accelerator="tcg", cpu="x"),
        hypervisor=SimpleNamespace(end_guests=lambda: None),
    )
    cells = plan.product(["u"], ["cold"], ["s", "t"], KERNELS)
    conductor = Conductor(lab, cells, Ledger(tmp_path), lambda _result: None)
    with ThreadPoolExecutor(1) as executor:
        for future in conductor.start(executor, 1, 1):
            future.result(timeout=10)
    return {attempt.cell: attempt for attempt in read(tmp_path) if attempt.final}


def tries(name: str) -> list[Isolation]:
    return [isolation for made, isolation in Slot.made if made == name]


def restores_fail(task: Task, _isolation: Isolation) -> str | None:
    return "Error (criu/x.c:1): no" if task.kind is Kind.RESTORE and task.destination == "b" else None


def test_every_cell_gets_a_fresh_boot_before_it_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = conduct(tmp_path, monkeypatch, restores_fail, Confirm.CELL)
    red = [cell for cell, attempt in ended.items() if attempt.outcome is Outcome.FAIL]
    assert len(red) == 4
    assert all(tries(str(cell)) == [Isolation.RESET, Isolation.BOOT] for cell in red)


def test_a_cause_gets_one_fresh_boot_and_every_cell_a_second_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = conduct(tmp_path, monkeypatch, restores_fail, Confirm.CAUSE)
    red = [cell for cell, attempt in ended.items() if attempt.outcome is Outcome.FAIL]
    assert len(red) == 4
    second = [tries(str(cell))[1:] for cell in red]
    assert sorted(second) == [[Isolation.BOOT], *[[Isolation.RESET]] * 3]


def test_another_signature_or_kernel_is_another_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def says(task: Task, _isolation: Isolation) -> str | None:
        return f"Error (criu/x.c:1): {task.scenario}" if task.kind is Kind.RESTORE else None

    ended = conduct(tmp_path, monkeypatch, says, Confirm.CAUSE)
    boots = [name for name, isolation in Slot.made if isolation is Isolation.BOOT]
    # two scenarios with words of their own, on two destinations
    assert len(boots) == 4
    assert sum(attempt.outcome is Outcome.FAIL for attempt in ended.values()) == 8


def test_a_run_that_is_repeated_as_a_whole_tries_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = conduct(tmp_path, monkeypatch, restores_fail, Confirm.NONE)
    assert sum(attempt.outcome is Outcome.FAIL for attempt in ended.values()) == 4
    assert all(tries(str(cell)) == [Isolation.RESET] for cell in ended)


def test_a_failure_that_a_fresh_boot_does_not_give_again_is_flaky_and_confirms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def says(task: Task, isolation: Isolation) -> str | None:
        return restores_fail(task, isolation) if isolation is Isolation.RESET else None

    ended = conduct(tmp_path, monkeypatch, says, Confirm.CAUSE)
    assert sum(attempt.outcome is Outcome.FLAKY for attempt in ended.values()) == 4
    assert sum(isolation is Isolation.BOOT for _, isolation in Slot.made) == 4


def test_a_trait_that_a_diagonal_loses_is_not_asked_of_a_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = conduct(tmp_path, monkeypatch, restores_fail, Confirm.CELL, tags=(TRAIT,))
    diagonal, move = Cell("u", "cold", "s", "b", "b"), Cell("u", "cold", "s", "a", "b")
    assert ended[diagonal].outcome is Outcome.FAIL
    assert (ended[move].outcome, ended[move].reason) == (Outcome.SKIP, Reason.DIAGONAL)
    assert ended[move].error is not None
    assert str(diagonal) in ended[move].error
    assert tries(str(move)) == []


def test_a_destination_that_only_cannot_dump_a_trait_is_asked_to_restore_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def says(task: Task, _isolation: Isolation) -> str | None:
        return "Error (criu/x.c:1): no" if task.kind is Kind.DUMP and task.source == "b" else None

    ended = conduct(tmp_path, monkeypatch, says, Confirm.CELL, tags=(TRAIT,))
    there, back = Cell("u", "cold", "s", "a", "b"), Cell("u", "cold", "s", "b", "a")
    assert ended[there].outcome is Outcome.PASS
    assert (ended[back].outcome, ended[back].reason) == (Outcome.SKIP, Reason.DIAGONAL)


def test_a_trait_that_both_diagonals_keep_is_asked_of_every_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = conduct(tmp_path, monkeypatch, lambda _task, _isolation: None, Confirm.CELL, tags=(TRAIT,))
    assert len(ended) == 12
    assert {attempt.outcome for attempt in ended.values()} == {Outcome.PASS}
