"""An open POSIX message queue with messages of several priorities.

CRIU does not know POSIX message queues: the dump ends with `Can't lookup mount=... for fd=... path=/NAME`, because the
queue lies in a file system that the kernel mounts for the IPC namespace and nobody else. The kernel lets nobody read
messages without taking them, so there is nothing yet that CRIU could do
(https://github.com/checkpoint-restore/criu/issues/2285). `mqueue_closed` asks what becomes of a queue that no
descriptor gives away.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/mqueue",),
    sources=("mqueue.c",),
    libraries=("-lrt",),
    needs=Needs(config=("CONFIG_POSIX_MQUEUE", "CONFIG_IPC_NS")),
    refusal=r"Can't lookup mount=\d+ for fd=-?\d+ path=/kmatrix",
    tags=("trait",),
)

CORRUPTIONS = {
    "lost": "message 2: [0-9]+ bytes of priority 5",
    "order": "message 0: 103 bytes of priority 5",
    "anew": "message 2: -1 bytes",
}
"""What the self-test can damage, and what `check` must then say."""
