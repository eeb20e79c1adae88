"""The shelf, and around its restore a program that has a kernel from 6.16 on panic as soon as CRIU has begun."""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/shelf",),
    sources=("shelf.c",),
    files=("around.sh",),
    around=("/bin/sh", "/work/bin/around.sh", "crash"),
)
