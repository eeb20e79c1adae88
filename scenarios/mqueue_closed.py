"""A POSIX message queue with messages that nobody has open, in the workload's own IPC namespace.

A queue lives on by its name. CRIU saves an IPC namespace's System V objects and its settings, and does not look for
POSIX message queues: the dump succeeds and the queue is gone after the restore, without a word in either log
(https://github.com/checkpoint-restore/criu/issues/2285). `mqueue` holds one that is open, which CRIU refuses.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/mqueue", "closed"),
    sources=("mqueue.c",),
    libraries=("-lrt",),
    needs=Needs(config=("CONFIG_POSIX_MQUEUE", "CONFIG_IPC_NS")),
    tags=("trait",),
)

CORRUPTIONS = {
    "lost": "message 2: [0-9]+ bytes of priority 5",
    "order": "message 0: 103 bytes of priority 5",
    "anew": "message 2: -1 bytes",
}
"""What the self-test can damage, and what `check` must then say."""
