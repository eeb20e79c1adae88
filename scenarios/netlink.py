"""Netlink sockets: bound to groups of route, connected to one another, never bound, for kernel events.

One asks the kernel for a link and must be answered at its port; it adds an address, and the one that is bound to the
group must hear of it. Two sockets of NETLINK_USERSOCK are connected to each other. Nothing is queued: CRIU refuses
that ("The socket has data to read"), see `netlink_queue`. Options of the netlink level are in `netlink_options`, to
which group a connected socket sends in `netlink_connected`.

Leans on sock_diag for netlink sockets (3.10), and a network namespace that CRIU makes again. Kernel changes that
every such socket meets are in `tcp`.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/netlink",),
    sources=("netlink.c",),
    tags=("object", "network"),
    own_network=True,
)

CORRUPTIONS = {
    "groups": "monitor: does not hear",
    "port": "asker: the port that is answered",
    "parted": "left to right",
    "bound": "fresh",
    "passcred": "asker_passcred",
}
"""What the self-test can damage, and what `check` must then say."""
