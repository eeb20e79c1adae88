"""A process all of whose memory may be merged with equal pages, what it maps later too: PR_SET_MEMORY_MERGE.

Leans on that call (6.4). A scenario of its own, because CRIU saves the advice of each mapping and not the process's
switch. `memory` has the advice.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/trait", "memory_merge"),
    sources=("trait.c",),
    needs=Needs(kernel="6.4", config=("CONFIG_KSM",)),
    tags=("trait",),
)

CORRUPTIONS = {"lost": "memory_merge: is 0, expected 1"}
"""What the self-test can damage, and what `check` must then say."""
