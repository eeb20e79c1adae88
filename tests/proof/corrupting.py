"""The shelf, told that it has come to another kernel, whereupon it flips a bit of its memory.

Kernels and CRIU have done nothing wrong, and nothing but the check notices.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/shelf",),
    sources=("shelf.c",),
    files=("around.sh",),
    around=("/bin/sh", "/work/bin/around.sh", "tell"),
)
