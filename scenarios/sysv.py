"""System V IPC: shared memory attached three times and by nobody, semaphores, typed messages, processes that wait.

All in an IPC namespace that the workload has made: CRIU carries System V objects only with their namespace. Numbers,
keys, modes and contents must stay, a limit of the namespace too; one process waits in semop and one in msgrcv. CRIU
lets both calls end with EINTR, as the kernel does for any interruption of them; the waiters ask again.

Leans on MSG_COPY and the sysctls sem_next_id, msg_next_id, shm_next_id (3.8, CONFIG_CHECKPOINT_RESTORE). What CRIU
loses of System V IPC has scenarios of its own: `sem_undo`, `msg_limit`. A segment that was removed while it is attached
is in `sysv_removed`.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/sysv",),
    sources=("sysv.c",),
    needs=Needs(config=("CONFIG_SYSVIPC", "CONFIG_IPC_NS")),
)

CORRUPTIONS = {
    "byte": "segment, rest: byte 4800",
    "private": "segment: its two maps have become two",
    "value": "semaphore 2: is 31999",
    "waiter": "semaphore 1: nobody waits for it",
    "message": "message: byte 0 of 500",
    "order": "message 0: [0-9]+ bytes of type 3",
    "number": "idle_id",
}
"""What the self-test can damage, and what `check` must then say."""
