"""Epoll sets: edge-triggered, one-shot armed and spent, exclusive, with data of their own; a set within a set.

One target was added through a descriptor that has been closed since, so that the set knows it by a number that means
nothing any more. Each target is rung and must come out with its own data, as often as its flags allow. Beside them
an eventfd with a count (that of a semaphore is `eventfd_semaphore`). Of a spent one-shot only its silence is looked
at here: that it comes back with errors and hang-ups armed is in `epoll_spent`.

Leans on /proc/PID/fdinfo for epoll (3.8), KCMP_EPOLL_TFD (4.13) for a target without its number, EPOLLEXCLUSIVE (4.5).
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/epoll",), sources=("epoll.c",))

CORRUPTIONS = {
    "lost": "level: none is ready",
    "level": "edge, again: edge is ready",
    "rearmed": "before anything: spent one-shot is ready",
    "exchanged": "level: one-shot is ready",
    "replaced": "closed descriptor: none is ready",
    "separated": "the outer set has 0 ready",
    "counter": "counter: is",
}
"""What the self-test can damage, and what `check` must then say."""
