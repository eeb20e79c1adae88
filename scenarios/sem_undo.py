"""A System V semaphore taken with SEM_UNDO by a process that then ends: the kernel must give back what it took.

CRIU restores the value and loses the undo: no kernel interface tells it what a process would undo, and it does not
notice that there is something to be undone (https://github.com/checkpoint-restore/criu/issues/47, since 2015). Such a
semaphore stays taken for ever once its holder has died. `sysv` holds semaphores without it.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/sem_undo",),
    sources=("sem_undo.c",),
    needs=Needs(config=("CONFIG_SYSVIPC", "CONFIG_IPC_NS")),
    tags=("trait",),
)

CORRUPTIONS = {
    "forgotten": "semaphore 0: is 3 after its taker has ended",
    "value": "semaphore 1: is 4",
    "ended": "the child did not end|'undone'",
}
"""What the self-test can damage, and what `check` must then say."""
