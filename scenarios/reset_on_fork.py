"""A process whose children are scheduled as others are: SCHED_RESET_ON_FORK.

Leans on that flag of sched_setscheduler (2.6.32). A scenario of its own, because CRIU before 4.0 takes the flag for a
part of the policy and does not restore (https://github.com/checkpoint-restore/criu/pull/2360).
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/trait", "reset_on_fork"), sources=("trait.c",), tags=("trait",))

CORRUPTIONS = {"lost": "reset_on_fork: is 3, expected 1073741827"}
"""What the self-test can damage, and what `check` must then say."""
