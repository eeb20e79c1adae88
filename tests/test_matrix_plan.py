"""The plan: which cells there are, which controls they need, and what waits for what."""

from __future__ import annotations

from harness.matrix.cell import Cell
from harness.matrix.plan import (
    Kind,
    Task,
    baseline_task,
    dump_task,
    prerequisites,
    product,
    task_of,
    with_controls,
)

A, B, C = "a", "b", "c"


def cold(source: str, destination: str, scenario: str = "cpu") -> Cell:
    return Cell("trixie", "cold", scenario, source, destination)


def test_the_quick_profile_has_180_cells() -> None:
    kernels, scenarios = [f"k{n}" for n in range(5)], [f"s{n}" for n in range(6)]
    cells = product(["trixie"], ["cold"], scenarios, kernels)
    assert len(cells) == len(set(cells)) == 150 + 30
    assert sum(cell.is_baseline for cell in cells) == 30
    assert sum(cell.is_diagonal for cell in cells) == 30
    assert set(with_controls(cells)) == set(cells)


def test_a_product_has_every_ordered_pair() -> None:
    cells = product(["u", "v"], ["cold"], ["cpu"], [A, B])
    assert {(c.source, c.destination) for c in cells if c.userland == "v" and not c.is_baseline} == {
        (A, A),
        (A, B),
        (B, A),
        (B, B),
    }


def test_one_cell_brings_both_baselines_and_both_diagonals() -> None:
    assert with_controls([cold(A, B)]) == [
        Cell.baseline("trixie", "cpu", A),
        Cell.baseline("trixie", "cpu", B),
        cold(A, A),
        cold(B, B),
        cold(A, B),
    ]


def test_a_control_brings_no_more_than_it_needs() -> None:
    baseline = Cell.baseline("trixie", "cpu", A)
    assert with_controls([baseline]) == [baseline]
    assert with_controls([cold(A, A)]) == [baseline, cold(A, A)]


def test_controls_are_shared_and_never_twice() -> None:
    cells = with_controls([cold(A, B), cold(B, A), cold(A, C), cold(A, B)])
    assert len(cells) == len(set(cells)) == 3 + 3 + 3


def test_a_task_knows_its_cell_and_its_guest() -> None:
    for cell in (Cell.baseline("trixie", "cpu", A), cold(A, A), cold(A, B)):
        assert task_of(cell).cell == cell
    assert task_of(cold(A, B)) == Task(Kind.RESTORE, "trixie", "cold", "cpu", A, B)
    assert task_of(cold(A, B)).guest == ("trixie", B)
    assert dump_task(cold(A, B)).guest == ("trixie", A)
    assert dump_task(cold(A, B)) == dump_task(cold(A, C))
    assert baseline_task("trixie", "cpu", A) == task_of(Cell.baseline("trixie", "cpu", A))


def test_what_waits_for_what() -> None:
    base_a, base_b = baseline_task("trixie", "cpu", A), baseline_task("trixie", "cpu", B)
    dump = dump_task(cold(A, B))
    assert prerequisites(base_a) == ()
    assert prerequisites(dump) == (base_a,)
    assert prerequisites(task_of(cold(A, B))) == (base_a, base_b, dump)
    assert prerequisites(task_of(cold(A, A))) == (base_a, dump)


def test_nothing_waits_for_itself() -> None:
    """Whatever a task waits for, directly or not, is of an earlier kind."""
    order = [Kind.BASELINE, Kind.DUMP, Kind.RESTORE]
    for cell in product(["u"], ["cold"], ["cpu"], [A, B, C]):
        for task in (task_of(cell), *([] if cell.is_baseline else [dump_task(cell)])):
            assert all(order.index(p.kind) < order.index(task.kind) for p in prerequisites(task))
