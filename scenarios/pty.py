"""Terminals: settings, sizes, bytes that nobody has read in either direction, packet mode, a session with a job.

Three pairs. One controls the session of a child whose own child is the job in the foreground: the interrupt character,
which is no usual one, must reach that job alone. One is raw and holds unread bytes both ways. One is in packet mode.

Leans on devpts, TIOCGPTN, TIOCGPKT (3.8), TIOCSCTTY, TIOCSPGRP, and on reading and writing back what is queued, as
CRIU does it since 2.0.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/pty",), sources=("pty.c",))

CORRUPTIONS = {
    "down": "to the program: only 699 of 700",
    "up": "from the program: only 0 of 900",
    "size": "pty0",
    "settings": "characters0",
    "packet": "packet mode",
    "foreground": "foreground group|was interrupted 0 times",
}
"""What the self-test can damage, and what `check` must then say."""
