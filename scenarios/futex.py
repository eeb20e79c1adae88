"""Futexes whose owners and waiters the kernel knows, across the move.

A robust mutex whose owner died before, one whose owner dies after, one in shared memory that a child holds across the
move and dies with later; a priority inheriting one with a waiter; three waiters that differ in their bits and one with
a deadline. Nobody may wake early, each must be found by its own bits, and every dead owner must be reported.

Leans on get_robust_list (2.6.17), FUTEX_WAIT_BITSET (2.6.25), FUTEX_LOCK_PI (2.6.18), and on threads keeping their
ids, which are the values of held mutexes.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/futex",), sources=("futex.c",), libraries=("-lpthread",))

CORRUPTIONS = {
    "woken": "waiters: one woke that nobody had woken",
    "abandoned": "abandoned: was free",
    "held": "held: is free while its owner lives",
    "inherited": "inheriting: two threads have it",
    "list": "shared: Device or resource busy, expected the news",
    "killed": "shared: is free while the child has it",
}
"""What the self-test can damage, and what `check` must then say."""
