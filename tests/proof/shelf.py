"""A shelf of bytes that stays what it is: the twin of those beside it, with nothing done to it."""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/shelf",), sources=("shelf.c",))
