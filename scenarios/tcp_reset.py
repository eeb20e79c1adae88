"""A TCP connection that was reset by its peer, of which its owner has not been told yet.

The next read must say ECONNRESET, once. CRIU 4.1.1 makes a socket of it that has no pending error: the process reads an
orderly end instead, silently. A scenario of its own, so that it does not hide what `tcp_closed` holds.

Leans on SO_ERROR, which can be taken but not set.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/tcp_reset",),
    sources=("tcp_reset.c",),
    tags=("trait", "network"),
    criu=("--tcp-established",),
    own_network=True,
)

CORRUPTIONS = {
    "told": "a reset looks like an end",
    "exchanged": "a reset is told as: Transport endpoint",
    "revived": "a reset is told as: Resource temporarily",
}
"""What the self-test can damage, and what `check` must then say."""
