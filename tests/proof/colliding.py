"""The shelf, and before its restore a program that takes the pid which it must have again."""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/shelf",),
    sources=("shelf.c",),
    files=("around.sh",),
    around=("/bin/sh", "/work/bin/around.sh", "collide"),
)
