"""TCP over IPv6: unread bytes both ways, IPv4 on a dual-stack listener, an IPv6-only listener beside an IPv4 one.

The server of the IPv4 connection knows its peer as ::ffff:127.0.0.1. Two listeners have one port number, which works
only as long as IPV6_V6ONLY is kept: without it the second of them cannot be bound.

Leans on TCP_REPAIR for IPv6 (3.5), TCP_REPAIR_WINDOW (4.8), sock_diag for inet sockets (3.3), and a network namespace
that CRIU makes again. Kernel changes that every such socket meets are in `tcp`. Traffic class and hop limit are not
carried: see `ip_options`.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/tcp6",),
    sources=("tcp6.c",),
    tags=("object", "network"),
    criu=("--tcp-established",),
    own_network=True,
)

CORRUPTIONS = {
    "lost": "mapped: only 3999 of 4000",
    "reconnected": "client_own",
    "only-ipv6": "connect: Connection refused",
    "no-listener": "IPv4 listener at its port: does not listen",
    "mark": "client_mark",
}
"""What the self-test can damage, and what `check` must then say."""
