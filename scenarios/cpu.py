"""Processor and memory state: registers held live across the dump, memory of four kinds, a counter.

A spinning thread keeps integer, SSE or AVX, x87 registers, MXCSR and the x87 control word filled from a nonce; the
main thread has a GS base of its own. Memory: anonymous, private map of a file with half of its pages copied on
write, shared map of a file, anonymous memory shared with a child that answers challenges through it.

Leans on ptrace's NT_PRSTATUS and NT_X86_XSTATE (2.6.34, AVX since 2.6.30), /proc/PID/pagemap and map_files (3.3),
arch_prctl. The processor's vector width is part of the state: source and destination must have the same.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/cpu",), sources=("cpu.c",), libraries=("-lpthread",))

CORRUPTIONS = {
    "memory": "anonymous memory: byte 12345",
    "private-file": "private file mapping",
    "registers": "[xy]mm7: byte",
    "unshared-file": "the file does not see",
    "unshared-memory": "the child does not see",
    "counter": "the counter",
    "gs": "gs base",
}
"""What the self-test can damage, and what `check` must then say."""
