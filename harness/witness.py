"""Proof that the same process went on: what a workload's witness says of itself, before and after.

Every workload makes a random nonce at start and keeps it in memory alone. Its counter does not only count: each
tick advances a chain that starts from the nonce, so a counter that was set to a plausible number is noticed too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.scenario import Facts, Workload

MULTIPLIER = 6364136223846793005
INCREMENT = 1442695040888963407
_MASK = (1 << 64) - 1
WITNESS = ("pid", "remembered_pid", "nonce", "ticks", "chain", "mismatches")
"""The facts by which a process is known; `assert_unharmed` looks at them."""


def advance(state: int, steps: int) -> int:
    """The chain's state after `steps` ticks (Knuth's MMIX generator modulo 2^64), in logarithmic time."""
    factor, offset = 1, 0
    square_factor, square_offset = MULTIPLIER, INCREMENT
    while steps > 0:
        if steps & 1:
            factor, offset = (
                factor * square_factor & _MASK,
                (offset * square_factor + square_offset) & _MASK,
            )
        square_factor, square_offset = (
            square_factor * square_factor & _MASK,
            (square_offset * square_factor + square_offset) & _MASK,
        )
        steps >>= 1
    return (state * factor + offset) & _MASK


def assert_same_process(workload: Workload, before: Facts, after: Facts) -> None:
    """Assert that the process that wrote `after` is the one that wrote `before`, further on.

    Raises AssertionError naming what differs: pid, nonce, a counter that went back or stood still, its chain.
    """
    assert after["pid"] == before["pid"] == workload.own_pid, "the process has another pid"
    assert after["remembered_pid"] == after["pid"], "the pid is not the one that the process had at start"
    assert after["nonce"] == before["nonce"], "the nonce in memory changed: this is another process"
    assert after["ticks"] > before["ticks"], "the counter did not go on"
    steps = after["ticks"] - before["ticks"]
    assert after["chain"] == advance(before["chain"], steps), "the counter jumped or its chain was broken"


def assert_unharmed(workload: Workload, before: Facts, after: Facts) -> None:
    """Assert that it is the same process and that it found nothing wrong with itself."""
    assert after["mismatches"] == [], "; ".join(after["mismatches"])
    assert_same_process(workload, before, after)


def assert_unchanged(before: Facts, after: Facts, *names: str) -> None:
    """Assert that the named facts are what they were. Raises AssertionError naming each that is not."""
    changed = {name: (before[name], after.get(name)) for name in names if before[name] != after.get(name)}
    assert changed == {}, f"changed (before, after): {changed}"


def assert_steady(before: Facts, after: Facts, moving: Iterable[str] = ()) -> None:
    """Assert that every fact is what it was, but for the witness's own and those in `moving`.

    In the order of `before`: the same change has the same words in every run, and so the same signature.
    """
    left_alone = {*WITNESS, *moving}
    assert_unchanged(before, after, *(name for name in before if name not in left_alone))
