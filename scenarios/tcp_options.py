"""Options that tune a TCP connection and a listener: user timeout, congestion control, deferred accept, ...

Each is a fact of its own, so a report names those that were lost and no others. The options that CRIU carries are in
`tcp_states`; these are apart so that they do not hide them.

CRIU 4.1.1 carries none of them, without a word: its images have fields for TCP_NODELAY, TCP_CORK and the keep-alive
times only (https://github.com/checkpoint-restore/criu/pull/2380).

Leans on nothing but getsockopt and setsockopt.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/tcp_options",),
    sources=("tcp_options.c",),
    tags=("trait", "network"),
    criu=("--tcp-established",),
    own_network=True,
)

CORRUPTIONS = {
    "timeout": "client_user_timeout",
    "congestion": "congestion.*reno.*cubic",
    "defer": "listener_defer_accept",
    "parted": "connection: only 0 of 100",
}
"""What the self-test can damage, and what `check` must then say."""
