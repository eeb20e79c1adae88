"""Options of the netlink level: strict checks, extended and capped answers, packet information, no ENOBUFS, ...

Each is a fact of its own, so a report names those that were lost and no others. What CRIU carries of a netlink socket
is in `netlink`; these are apart so that they do not hide it.

Leans on getsockopt of SOL_NETLINK: NETLINK_CAP_ACK (4.3), NETLINK_EXT_ACK (4.12), NETLINK_GET_STRICT_CHK (4.20).
NETLINK_LISTEN_ALL_NSID is left out: it can be set everywhere and, under 5.10 and 6.1, not be asked for.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/netlink_options",),
    sources=("netlink_options.c",),
    tags=("trait", "network"),
    needs=Needs(kernel="4.20"),
    own_network=True,
)

CORRUPTIONS = {
    "repeating": "tuned_cap_ack",
    "strict": "tuned_strict",
    "pktinfo": "tuned_pktinfo",
}
"""What the self-test can damage, and what `check` must then say."""
