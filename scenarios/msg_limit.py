"""A System V message queue with a limit of its own: msg_qbytes, set with IPC_SET.

CRIU makes the queue anew with the namespace's limit (msgmnb, 16384 bytes) and sends the messages into it; the queue's
own limit is not in its image. A sender that used to wait at 9000 bytes goes on to 16384, and a queue whose limit had
been raised holds up its senders sooner. All else as in `sysv`.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/sysv", "limited"),
    sources=("sysv.c",),
    needs=Needs(config=("CONFIG_SYSVIPC", "CONFIG_IPC_NS")),
    tags=("trait",),
)

CORRUPTIONS = {
    "limit": "queue_limit",
    "byte": "segment, rest: byte 4800",
    "message": "message: byte 0 of 500",
}
"""What the self-test can damage, and what `check` must then say."""
