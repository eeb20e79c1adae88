"""A process's personality: no randomisation of addresses and the old layout of mappings, as `setarch -RL` gives.

Leans on personality(2) and /proc/PID/personality (2.6.25). A scenario of its own, because CRIU up to 4.1.1 writes the
number into its image, reading the hexadecimal text as decimal (criu/cr-dump.c, get_task_personality), and nothing
in it sets the number again: debuggers and old programs that exec after the move get another layout.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/trait", "personality"), sources=("trait.c",), tags=("trait",))

CORRUPTIONS = {"lost": "personality: is 0, expected 2359296"}
"""What the self-test can damage, and what `check` must then say."""
