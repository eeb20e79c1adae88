"""A tun device in use, a persistent tap device, a descriptor of /dev/net/tun that is attached to none.

The tun device is up and has an address, a peer and an MTU; a datagram to its peer must come out of its descriptor,
and an answer written to it must arrive. It must end with its descriptor. The tap device has none open, but an owner,
room for an offload header of 12 bytes and a send buffer of its own, and must outlive whoever attaches to it.

Leans on TUNSETIFINDEX and TUNGETFILTER (3.11), /dev/net/tun on both sides, `tun_flags` in sysfs, iproute2 for
addresses and routes, and a network namespace that CRIU makes again. Kernel changes that every such socket meets are
in `tcp`.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/tun",),
    sources=("tun.c",),
    tags=("object", "network"),
    needs=Needs(config=("CONFIG_TUN",)),
    own_network=True,
)

CORRUPTIONS = {
    "detached": "tun: its descriptor is not attached",
    "persistent": "tun: outlives its descriptor",
    "down": "tun: what is sent to its peer does not come out",
    "no-tap": "tap: did not outlive",
    "header": "tap_header",
}
"""What the self-test can damage, and what `check` must then say."""
