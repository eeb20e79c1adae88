"""Credentials in flight: messages in a unix socket with SO_PASSCRED, of a parent and of its child.

Each message says who sent it, and must still say so when it is read after the move.

Leans on SCM_CREDENTIALS with a chosen pid, for which CRIU needs CAP_SYS_ADMIN. CRIU 4.1.1 refuses such a queue: it
knows descriptors as control data and nothing else (criu/sk-queue.c;
https://github.com/checkpoint-restore/criu/issues/251).
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/unix_credentials",),
    sources=("unix_credentials.c",),
    refusal="Control messages in queue, not supported",
    tags=("trait",),
)

CORRUPTIONS = {
    "claimed": "letter of the child: was sent by",
    "lost": "letter of the parent: a message of 200 bytes",
    "off": "letter of the parent: does not say who sent it",
}
"""What the self-test can damage, and what `check` must then say."""
