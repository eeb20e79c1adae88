"""Threads and their locks: a mutex held and contended, a condition waited on, a sleeping and a running thread.

Seven threads, each with its thread id, thread-local values, a pthread key. One holds a mutex that two others wait
for; two wait on a condition; one sleeps in short naps; one runs a computation whose result can be recomputed.

Leans on clone with a chosen tid (ns_last_pid 3.3, clone3's set_tid 5.5), set_tid_address, robust lists, futexes,
and with glibc 2.35 or later on PTRACE_GET_RSEQ_CONFIGURATION (5.13).
"""

from __future__ import annotations

from testinfra.host import Host

from harness.scenario import Facts, Scenario, Workload
from harness.witness import advance, assert_unchanged, assert_unharmed

SCENARIO = Scenario(command=("bin/threads",), sources=("threads.c",), libraries=("-lpthread",))

THREADS = 7

CORRUPTIONS = {
    "mutex": "the held mutex is free",
    "wakeup": "waiters past the closed gate",
    "condition": "waiters woke",
    "thread": "does not wake",
    "runner": "went back|went wrong",
    "tid": "tid",
    "tls": "thread 3: thread-local values",
}
"""What the self-test can damage, and what `check` must then say."""


def check(host: Host, workload: Workload, before: Facts) -> None:
    """All threads are where they were; then they are let go, and each gets on and says what it finds."""
    after = workload.ask("check")
    assert_unharmed(workload, before, after)
    assert_unchanged(before, after, "run_start", *(f"tid{role}" for role in range(THREADS)))
    assert after["naps"] >= before["naps"], "the sleeping thread's count went back"
    assert after["rounds"] >= before["rounds"], "the running thread's count went back"
    assert after["run_state"] == advance(before["run_start"], after["rounds"]), "the computation went wrong"
