"""Memory barriers by system call: registered for the global expedited kind and one private kind, and for no more.

Leans on MEMBARRIER_CMD_GLOBAL_EXPEDITED (4.16), which is a registration to be barred by others: only GET_REGISTRATIONS
(6.3) tells of it, and on an older kernel the check can see the private kinds alone. A scenario of its own, because
CRIU cannot find this registration on a source before 6.3.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/membarrier", "global"),
    sources=("membarrier.c",),
    needs=Needs(kernel="5.10", config=("CONFIG_MEMBARRIER", "CONFIG_RSEQ")),
)

CORRUPTIONS = {
    "other": "sync core: Operation not permitted",
    "more": "sync core: is granted without a registration",
}
"""What the self-test can damage, and what `check` must then say."""
