"""How urgent a process's input and output is: its io priority, here the idle class.

Leans on ioprio_set (2.6.13). A scenario of its own, because CRIU does not save it: a backup that ran in the idle
class competes with everybody after the move.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/trait", "ioprio"),
    sources=("trait.c",),
    needs=Needs(config=("CONFIG_BLOCK",)),
    tags=("trait",),
)

CORRUPTIONS = {"lost": "ioprio: is 16388, expected 24576"}
"""What the self-test can damage, and what `check` must then say."""
