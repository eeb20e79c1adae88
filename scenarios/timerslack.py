"""How late a process's timers may be: its timer slack.

Leans on PR_SET_TIMERSLACK (2.6.28). A scenario of its own, because CRIU up to 4.2 does not save it: a restored process
has its restorer's, 50 microseconds (https://github.com/checkpoint-restore/criu/pull/2913).
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/trait", "timerslack"), sources=("trait.c",), needs=Needs(kernel="2.6.28"), tags=("trait",)
)

CORRUPTIONS = {"lost": "timerslack: is 50000, expected 1234567"}
"""What the self-test can damage, and what `check` must then say."""
