"""Memory that a child finds empty: MADV_WIPEONFORK, with which libraries keep random state from being used twice.

Leans on MADV_WIPEONFORK (4.14) and its flag `wf` in /proc/PID/smaps. A scenario of its own, because CRIU before 4.2
restores the bytes without the flag, and nothing says so: a child then has its parent's secrets
(https://github.com/checkpoint-restore/criu/commit/af5412a43).
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/wipeonfork",), sources=("wipeonfork.c",), needs=Needs(kernel="4.14"), tags=("trait",)
)

CORRUPTIONS = {
    "kept": "wiped: the child reads the secret",
    "wiped": "wiped: byte [0-9]+ ",
    "shared": "the child reads the secret",
}
"""What the self-test can damage, and what `check` must then say."""
