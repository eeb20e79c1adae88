"""A process with a guaranteed share of processor time: SCHED_DEADLINE, 30 ms in every 400 ms.

Leans on sched_setattr (3.14). A scenario of its own, because CRIU dumps the policy's number and refuses to restore it:
`Inconsistent sched params received (6.0.0)` (4.1.1, criu/cr-restore.c).
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/trait", "deadline"), sources=("trait.c",), needs=Needs(kernel="3.14"), tags=("trait",)
)

CORRUPTIONS = {"lost": "deadline: is 0, expected 30000"}
"""What the self-test can damage, and what `check` must then say."""
