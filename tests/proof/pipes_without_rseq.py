"""The scenario `pipes` without rseq, so that 5.10 can dump it, too, and is a control like any other kernel."""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("/usr/bin/env", "GLIBC_TUNABLES=glibc.pthread.rseq=0", "bin/pipes"), sources=("pipes.c",)
)
