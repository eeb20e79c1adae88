"""A process whose future mappings are locked too, as a real-time program asks for at its start.

Leans on mlockall with MCL_FUTURE, which the kernel keeps in the memory descriptor's default flags and shows nowhere:
no file under /proc and no call tells it. A scenario of its own, because CRIU cannot save what it cannot see; the
mappings that exist stay locked, those made after the move are not.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/mlockall",), sources=("mlockall.c",), tags=("trait",))

CORRUPTIONS = {
    "byte": "area: byte 4096",
    "future": "mapped later: pages in memory: is 0",
    "unlocked": "mapped before: locked kB: is 0",
}
"""What the self-test can damage, and what `check` must then say."""
