"""Memory that the kernel may drop under pressure, that no child and no core dump has: MAP_DROPPABLE.

Leans on MAP_DROPPABLE (6.11) and its flag `dp` in /proc/PID/smaps. glibc 2.41 and later keep the state of getrandom
there. A scenario of its own: CRIU before 4.2 restores an ordinary private mapping
(https://github.com/checkpoint-restore/criu/commit/b90cfc1a8), CRIU 4.2 cannot restore it below 6.11.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/droppable",), sources=("droppable.c",), needs=Needs(kernel="6.11"), tags=("trait",)
)

CORRUPTIONS = {
    "byte": "area: byte 7 of 4096",
    "private": "the child reads what its parent has there",
    "secret": "area: locked kB: is 16",
}
"""What the self-test can damage, and what `check` must then say."""
