"""What of a process's memory would be in a core dump: its /proc/PID/coredump_filter.

Leans on that file (2.6.23). A scenario of its own, because CRIU does not save it: memory that a program wanted in no
core dump is in it after the move.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/trait", "coredump_filter"),
    sources=("trait.c",),
    needs=Needs(config=("CONFIG_ELF_CORE",)),
    tags=("trait",),
)

CORRUPTIONS = {"lost": "coredump_filter: is 51, expected 5"}
"""What the self-test can damage, and what `check` must then say."""
