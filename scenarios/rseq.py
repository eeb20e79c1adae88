"""Restartable sequences as the C library registers them, one area a thread, and a thread inside a critical section.

The areas must be registered still, with their addresses, length and signature; a signal must abort the section that the
thread was dumped in and each one after it; the processor's number in the area must be the kernel's.

Leans on rseq (4.18), which glibc registers since 2.35, and on PTRACE_GET_RSEQ_CONFIGURATION (5.13): without it CRIU
refuses the dump (https://github.com/checkpoint-restore/criu/issues/2070). A process that was started on 7.0 or
later has areas of 33 bytes, and a kernel before 6.3 takes 32 alone: `rseq_own` moves there.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/rseq", "c-library"),
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
