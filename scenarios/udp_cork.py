"""A corked UDP socket with half a datagram in it (UDP_CORK, 2.5.44).

CRIU refuses it: "Can't dump corked dgram socket" (https://github.com/checkpoint-restore/criu/issues/409 is open).
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/udp_cork",),
    sources=("udp_cork.c",),
    tags=("trait", "network"),
    own_network=True,
    refusal="Can't dump corked dgram socket",
)

CORRUPTIONS = {
    "uncorked": "before the second half: bytes where nothing",
    "lost": "datagram of two halves: a message of 150 bytes, expected 300",
}
"""What the self-test can damage, and what `check` must then say."""
