"""Netlink messages that nobody has read yet, between two sockets of NETLINK_USERSOCK.

CRIU refuses such a socket: "The socket has data to read" (criu/sk-netlink.c), because what the kernel has said once
it does not say again.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/netlink_queue",),
    sources=("netlink_queue.c",),
    tags=("trait", "network"),
    own_network=True,
    refusal="The socket has data to read",
)

CORRUPTIONS = {
    "lost": "first: a message of 250 bytes, expected 100",
    "repeated": "queue: bytes where nothing should be",
    "exchanged": "first: a message of 250 bytes",
}
"""What the self-test can damage, and what `check` must then say."""
