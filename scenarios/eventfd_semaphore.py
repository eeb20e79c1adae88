"""An eventfd that is a semaphore (EFD_SEMAPHORE): three reads must each take one, and a fourth none.

Leans on /proc/PID/fdinfo for eventfd (3.8). A program cannot ask whether an eventfd is a semaphore; the kernel says
so in fdinfo since 6.5 (`eventfd-semaphore`), and CRIU does not look at it: it makes an ordinary counter, from which
the first read takes all (seen with CRIU 4.1.1, 6.12 to 6.12). A scenario of its own, so that it hides no other.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/eventfd_semaphore",), sources=("eventfd_semaphore.c",), tags=("trait",))

CORRUPTIONS = {
    "taken": "only 2 of 3",
    "given": "more can be taken",
    "counter": "a read took 3",
}
"""What the self-test can damage, and what `check` must then say."""
