"""Options of the IP layer, IPv4 and IPv6, on UDP sockets and on a TCP connection.

Type of service, time to live, hop limits, path MTU discovery, what a receiver wants to be told of each datagram,
transparent proxying, multicast hops. Each is a fact of its own, so a report names those that were lost and no others.
One is what a datagram to itself carries, so that the type of service is not only told but used.

Leans on nothing but getsockopt and setsockopt. CRIU carries a few of them:
https://github.com/checkpoint-restore/criu/issues/2007 is open and lists the others.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/ip_options",),
    sources=("ip_options.c",),
    tags=("object", "network"),
    criu=("--tcp-established",),
    own_network=True,
)

CORRUPTIONS = {
    "tos": "carried_tos.*40.*udp4_tos|udp4_tos.*carried_tos.*40",
    "class": "tcp6_tclass",
    "hops": "udp6_hops",
    "rebound": "udp6_own",
}
"""What the self-test can damage, and what `check` must then say."""
