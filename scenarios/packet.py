"""Packet sockets on loopback: a mapped ring, memberships, a filter, a fanout group, an unbound one.

The ring (TPACKET_V2) is mapped memory that the kernel writes to: packets sent after the move must appear in it. The
interface must be promiscuous and in a multicast group as often as before. Two sockets of a fanout group get every
other packet. A classic BPF filter lets UDP through and no TCP.

Leans on sock_diag for packet sockets (3.7) with rings, memberships and fanout, on map_files for the mapping of a
socket (3.3), and a network namespace that CRIU makes again. Kernel changes that every such socket meets are in `tcp`.
What lies in a ring or a queue at the dump is lost, as it would be by a slow reader; none does here.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/packet",),
    sources=("packet.c",),
    tags=("object", "network"),
    needs=Needs(config=("CONFIG_PACKET", "CONFIG_PACKET_DIAG")),
    own_network=True,
)

CORRUPTIONS = {
    "unfiltered": "filtered: a packet of protocol 6",
    "unmapped": "ring: 0 packets, expected 4",
    "fanout": "fanout: 4 and 4 packets of 4",
    "promiscuous": "promiscuity",
    "group": "in_group",
    "auxdata": "ring_auxdata",
}
"""What the self-test can damage, and what `check` must then say."""
