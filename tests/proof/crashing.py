"""The shelf, and around CRIU a program that has another kernel than the one of the dump panic during the restore."""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/shelf",),
    sources=("shelf.c",),
    files=("around.sh",),
    around=("/bin/sh", "/work/bin/around.sh", "crash"),
)
