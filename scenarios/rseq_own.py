"""Restartable sequences that a program registers itself, in areas of 32 bytes, which every kernel takes.

As `rseq`, but the C library is told to leave rseq alone, as programs with their own use of it (tcmalloc) ask for.

Leans on rseq (4.18) and PTRACE_GET_RSEQ_CONFIGURATION (5.13).
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("env", "GLIBC_TUNABLES=glibc.pthread.rseq=0", "bin/rseq", "own"),
    sources=("rseq.c",),
    libraries=("-lpthread",),
    needs=Needs(kernel="5.13", features=("get_rseq_conf",)),
)

CORRUPTIONS = {
    "unregistered": "the main thread's area is not registered",
    "worker": "the worker's critical section is not aborted",
    "elsewhere": "the main thread's area is not registered",
}
"""What the self-test can damage, and what `check` must then say."""
