"""A UDP socket bound to an IPv4 address that the host does not have (IP_FREEBIND, 2.4).

CRIU 4.1.1 cannot restore it (6.12 to 6.12): it binds before it sets the option ("Can't bind inet socket"). Only for
IPv6 does it set the option first, because a new IPv6 address cannot be bound to at once (criu/sk-inet.c). A scenario
of its own, so that it does not hide what `udp` holds.

Kernel changes that every such socket meets are in `tcp`.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/udp_freebind",),
    sources=("udp_freebind.c",),
    tags=("trait", "network"),
    own_network=True,
)

CORRUPTIONS = {
    "unbound": "the address is free",
    "forgotten": "freebind",
}
"""What the self-test can damage, and what `check` must then say."""
