"""An IPC namespace: System V shared memory, semaphores and messages, and the namespace's limits.

One segment is attached by two processes, one by nobody; a set of semaphores; a queue whose messages are asked for by
type and in order; every limit of the namespace that CRIU carries, POSIX message queues' included, set to a value that
no kernel has by default.

Leans on unshare(CLONE_NEWIPC) (2.6.19), MSG_COPY and the *_next_id settings by which an object gets its old id (3.8).
Since 6.0 these settings belong to the namespace's owner (CRIU 3.18 follows,
https://github.com/checkpoint-restore/criu/issues/1982). CRIU refuses System V objects outside such a namespace.
"""

from __future__ import annotations

from testinfra.host import Host

from harness.namespaces import check_apart
from harness.scenario import Facts, Needs, Scenario, Workload

SCENARIO = Scenario(
    command=("bin/ipcns",),
    sources=("ipcns.c",),
    tags=("object", "namespace"),
    needs=Needs(config=("CONFIG_IPC_NS", "CONFIG_SYSVIPC", "CONFIG_POSIX_MQUEUE")),
)

CORRUPTIONS = {
    "left": "in the host's own namespace: ipc:",
    "byte": "attached segment: byte 4000",
    "segment": "detached segment: its id",
    "unshared": "segment and semaphore as the child sees them",
    "semaphore": "semaphore: is 31, expected 32",
    "message": "message 0: 99 bytes, expected 100",
    "limit": "mq_msgsize_max: is '8192'",
}


def check(host: Host, workload: Workload, before: Facts) -> None:
    """The objects are there, and not among the host's own."""
    check_apart(workload, before, "ipc")
