"""UDP over IPv4 and IPv6: bound, connected, shut for reading, sharing a port, bound to a foreign address.

A connected socket must afterwards hear its peer and nobody else. Two sockets share a port, one of them bound to a
device. One has an IPv6 address that the host does not have (IP_FREEBIND; the same over IPv4 is `udp_freebind`). One
IPv6 socket takes IPv4 as well.

One datagram waits unread. CRIU drops it by design and says so ("Read queue is dropped for socket", criu/sk-inet.c),
as a network may: the check takes two fates of it, whole or not at all, and no third. The report's `fate` says which.
A corked socket is the scenario `udp_cork`, group memberships are `multicast`, other options `ip_options`.

Leans on sock_diag for inet sockets (3.3) with their shutdown state, and a network namespace that CRIU makes again.
Kernel changes that every such socket meets are in `tcp`.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/udp",),
    sources=("udp.c",),
    tags=("object", "network"),
    own_network=True,
    moving=("fate",),
)

CORRUPTIONS = {
    "disconnected": "IPv6: cannot be sent",
    "unbound": "IPv4: no message",
    "listening": "deaf: its reading half is open",
    "cut": "inbox: a datagram of 199 bytes",
    "device": "sharer0_device",
    "tos": "IPv4: type of service: is 0, expected 40",
    "checks": "connected6_no_check",
}
"""What the self-test can damage, and what `check` must then say."""
