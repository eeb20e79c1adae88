"""The processor time that a process and one of its threads have used: it only ever grows.

Leans on CLOCK_PROCESS_CPUTIME_ID, a thread's clock and getrusage. A scenario of its own, because there is no interface
by which a new process could be given the time that another has used; what is measured by it, and RLIMIT_CPU, begins
anew.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/cputime",), sources=("cputime.c",), libraries=("-lpthread",), tags=("trait",)
)

CORRUPTIONS = {
    "process": "the process's processor time went back",
    "thread": "the thread's processor time went back",
}
"""What the self-test can damage, and what `check` must then say."""
