"""Raw sockets: ICMP with filters over IPv4 and IPv6, a socket with IP_HDRINCL, a bound one.

An echo is sent to loopback: its request passes by the socket as well as its answer, and only the filter keeps the
request out. A packet written with a header of its own must arrive under that header. A connected raw socket is the
scenario `raw_connected`.

Leans on sock_diag for raw sockets (4.10), ICMP_FILTER, ICMPV6_FILTER, IP_NODEFRAG (2.6.36), and a network namespace
that CRIU makes again; CRIU carries raw sockets since 3.12. Kernel changes that every such socket meets are in `tcp`.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/raw",),
    sources=("raw.c",),
    tags=("object", "network"),
    needs=Needs(config=("CONFIG_INET_RAW_DIAG",)),
    own_network=True,
)

CORRUPTIONS = {
    "filter": "echo: type 8 came through",
    "filter6": "echo over IPv6: type 128 came through",
    "header": "own header: does not arrive",
    "protocol": "own header: does not arrive",
    "mark": "icmp6_mark",
}
"""What the self-test can damage, and what `check` must then say."""
