"""System call filters: five on one thread, one on another, one put on all threads at once, and a child in strict mode.

What each thread may do is asked by doing it: each filter gives one nonexistent system call an errno or a trap of its
own, so that a filter that is lost, added, moved to another thread or put in another order shows. The strict child
answers a challenge through read and write, and must be killed for any other call.

Leans on seccomp with SECCOMP_FILTER_FLAG_TSYNC (3.17) and _LOG (4.14), PTRACE_SECCOMP_GET_FILTER (4.4) and
PTRACE_O_SUSPEND_SECCOMP (4.3), PR_SET_NO_NEW_PRIVS (3.5).
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/seccomp",),
    sources=("seccomp.c",),
    libraries=("-lpthread",),
    needs=Needs(kernel="4.14", config=("CONFIG_SECCOMP_FILTER",), features=("seccomp_filters",)),
)

CORRUPTIONS = {
    "more": "main thread: system call 5000 gives Bad message, expected Function not implemented",
    "thread": "thread with one filter: system call 5001 gives Function not implemented, expected Is a directory",
    "killed": "strict child: does not answer",
}
"""What the self-test can damage, and what `check` must then say."""
