"""The shelf, told that it has been restored, whereupon it flips a bit of its memory. CRIU has done nothing wrong."""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/shelf",),
    sources=("shelf.c",),
    files=("around.sh",),
    around=("/bin/sh", "/work/bin/around.sh", "tell"),
)
