"""A TCP connection that is over while its descriptors are open, with bytes that were never read.

Both sides have shut their halves; what the client sent last lies unread in the server's socket. Both are in state
CLOSE, which sock_diag does not list.

Leans on TCP_REPAIR (3.5), and a network namespace that CRIU makes again. Kernel changes that every such socket meets
are in `tcp`.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/tcp_closed",),
    sources=("tcp_closed.c",),
    tags=("object", "network"),
    criu=("--tcp-established",),
    own_network=True,
)

CORRUPTIONS = {
    "lost": "done: only 1999 of 2000",
    "exchanged": "done: only 0 of 2000",
    "open": "done: no end",
}
"""What the self-test can damage, and what `check` must then say."""
