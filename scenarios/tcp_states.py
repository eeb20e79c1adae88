"""TCP connections that are half closed, listeners with a backlog or a shared port, bound and fresh sockets.

Four connections: one whose client has shut its half behind unread bytes (FIN_WAIT2 and CLOSE_WAIT), one whose server
has, one whose end waits behind a full queue (FIN_WAIT1), one whose client is closed altogether while the server has
not read yet. Two listeners share a port by SO_REUSEPORT and have backlogs of their own. Window scale, timestamps and
SACK were agreed on when the connections began and cannot be agreed on again. One socket has every option of a TCP
socket that CRIU carries, keep-alive times among them; what it does not carry is in `tcp_options`.

Leans on TCP_REPAIR (3.5), on TCP_REPAIR_WINDOW of a closing socket (4.10; `criu check --feature tcp_half_closed`),
TCP_REPAIR_OPTIONS, sock_diag for inet sockets (3.3), and a network namespace that CRIU makes again. Kernel changes
that every such socket meets are in `tcp`.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/tcp_states",),
    sources=("tcp_states.c",),
    tags=("object", "network"),
    needs=Needs(features=("tcp_half_closed",)),
    criu=("--tcp-established",),
    own_network=True,
)

CORRUPTIONS = {
    "endless": "early: the shut half takes bytes",
    "lost": "gone: only 2999 of 3000",
    "drained": "stuck: the send queue is empty",
    "reset": "late, back: cannot be sent",
    "narrow": "backlog1",
    "linger": "gone_linger",
    "keepalive": "early_keepidle",
    "unbound": "bound.*127.0.0.1",
}
"""What the self-test can damage, and what `check` must then say."""
