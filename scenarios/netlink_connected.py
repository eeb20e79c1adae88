"""A netlink socket connected to another one's port and to no group, and a bystander in group 32.

CRIU 4.1.1 connects it to group 32 as well, without a word (6.12 to 6.12): it computes the mask as
`1 << (dst_group - 1)`, which for no group at all is the highest bit (criu/sk-netlink.c). From then on the bystander
hears what was meant for one. A scenario of its own, so that it does not hide what `netlink` holds.

Leans on sock_diag for netlink sockets (3.10).
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/netlink_connected",),
    sources=("netlink_connected.c",),
    tags=("trait", "network"),
    own_network=True,
)

CORRUPTIONS = {
    "shouting": "a bystander in group 32: bytes where nothing",
    "away": "said: no message",
    "left": "bystander_groups",
}
"""What the self-test can damage, and what `check` must then say."""
