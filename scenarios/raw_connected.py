"""A raw socket that is bound and connected: it hears its peer's address and no other.

CRIU takes its state for TCP's and refuses the dump without --tcp-established ("Connected TCP socket, consider using
--tcp-established option"; criu/sk-inet.c asks for the state before the protocol). With it CRIU 4.1.1 restores the
socket without its peer, and without a word (6.12 to 6.12): it connects only where there is a port, and a raw socket
has none. Afterwards the socket hears everybody. A scenario of its own, so that `raw` can do without the option.

Leans on sock_diag for raw sockets (4.10). Kernel changes that every such socket meets are in `tcp`.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/raw_connected",),
    sources=("raw_connected.c",),
    tags=("trait", "network"),
    needs=Needs(config=("CONFIG_INET_RAW_DIAG",)),
    criu=("--tcp-established",),
    own_network=True,
)

CORRUPTIONS = {
    "disconnected": "of a stranger: bytes",
    "other-peer": "of a stranger: bytes",
}
"""What the self-test can damage, and what `check` must then say."""
