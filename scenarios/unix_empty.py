"""A message without any byte between two others, in a unix datagram and in a unix seqpacket socket.

Leans on SO_PEEK_OFF (3.4). CRIU 4.1.1 loses the empty message and all that wait behind it, without a word: it reads a
queue until a read gives nothing (criu/sk-queue.c), and a message of no bytes reads just so. A scenario of its own, so
that it does not hide what `unix_packets` holds.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/unix_empty",), sources=("unix_empty.c",), tags=("trait",))

CORRUPTIONS = {
    "skipped": "datagram, empty: a message of 300 bytes, expected 0",
    "cut-off": "datagram, empty: no message",
    "moved": "seqpacket, empty: a message of 300 bytes",
}
"""What the self-test can damage, and what `check` must then say."""
