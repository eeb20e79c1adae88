"""Options of the IP layer, IPv4 and IPv6, on UDP sockets and on a TCP connection.

Hop limits, traffic class, path MTU discovery, what a receiver wants to be told of each datagram, transparent proxying,
multicast hops. Each is a fact of its own, so a report names those that were lost and no others. What CRIU carries (type
of service and time to live of IPv4, IP_PKTINFO, IP_FREEBIND) is in `udp`; these are apart so that they do not hide it.

CRIU 4.1.1 carries none of them, without a word: https://github.com/checkpoint-restore/criu/issues/2007 is open and
lists them. Leans on nothing but getsockopt and setsockopt.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/ip_options",),
    sources=("ip_options.c",),
    tags=("trait", "network"),
    criu=("--tcp-established",),
    own_network=True,
)

CORRUPTIONS = {
    "minimum": "udp4_minttl",
    "class": "tcp6_tclass",
    "hops": "udp6_hops",
    "rebound": "udp6_own",
}
"""What the self-test can damage, and what `check` must then say."""
