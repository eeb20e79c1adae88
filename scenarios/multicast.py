"""Memberships in multicast groups on loopback: IPv4, IPv4 for one source, IPv6.

The check sends a datagram to each IPv4 group and reads the kernel's list of IPv6 groups. With IP_MULTICAST_ALL
(2.6.31) and IPV6_MULTICAST_ALL (4.20) off, a socket hears its own groups and no others.

Leans on a network namespace that CRIU makes again.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/multicast",),
    sources=("multicast.c",),
    tags=("trait", "network"),
    own_network=True,
)

CORRUPTIONS = {
    "left4": "IPv4 group: no message",
    "left6": "groups6",
    "exchanged": "IPv4 group of one source: no message",
}
"""What the self-test can damage, and what `check` must then say."""
