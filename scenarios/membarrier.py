"""Memory barriers by system call: the three private expedited kinds, each granted to those who registered for it.

Leans on membarrier's MEMBARRIER_CMD_PRIVATE_EXPEDITED (4.14), _SYNC_CORE (4.16), _RSEQ (5.10). The kernel tells what
is registered since 6.3 (GET_REGISTRATIONS); CRIU tries the commands out where it does not.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/membarrier", "private"),
    sources=("membarrier.c",),
    needs=Needs(kernel="5.10", config=("CONFIG_MEMBARRIER", "CONFIG_RSEQ")),
)

CORRUPTIONS = {
    "other": "sync core: is granted without a registration",
    "more": "the kernel has registrations",
}
"""What the self-test can damage, and what `check` must then say."""
