"""Processor and memory state: registers held live across the dump, memory of four kinds, a counter.

A spinning thread keeps integer, SSE or AVX, x87 registers, MXCSR and the x87 control word filled from a nonce; the
main thread has a GS base of its own. Memory: anonymous, private map of a file with half of its pages copied on
write, shared map of a file, anonymous memory shared with a child that answers challenges through it.

Leans on ptrace's NT_PRSTATUS and NT_X86_XSTATE (2.6.34, AVX since 2.6.30), /proc/PID/pagemap and map_files (3.3),
arch_prctl. The processor's vector width is part of the state: source and destination must have the same.
"""

from __future__ import annotations

from testinfra.host import Host

from harness.scenario import Facts, Scenario, Workload
from harness.witness import assert_unchanged, assert_unharmed

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


def ready(host: Host, workload: Workload) -> None:
    """Wait until the registers are loaded and the child has answered."""
    workload.await_ready()


def remember(host: Host, workload: Workload) -> Facts:
    """Hashes of all memory and of the register pattern, addresses, the witness."""
    return workload.ask()


def check(host: Host, workload: Workload, before: Facts) -> None:
    """The process compares its registers and memory by itself; the hashes are compared from outside."""
    after = workload.ask("check")
    assert_unharmed(workload, before, after)
    names = (
        "vectors",
        "child",
        "addresses",
        "anonymous",
        "private_file",
        "shared_file",
        "shared",
        "registers",
    )
    assert_unchanged(before, after, *names)


def corrupt(host: Host, workload: Workload, what: str = "memory") -> None:
    """Damage the state on purpose; see `CORRUPTIONS`."""
    workload.ask(f"corrupt {what}")
