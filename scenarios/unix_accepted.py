"""The names of accepted unix connections: an accepted socket has its listener's name, which its client sees.

CRIU 4.1.1 loses them, silently (6.12 to 6.12): it makes both ends of a connection again as a pair, and neither
getsockname nor the peer's getpeername tells the name any more. A scenario of its own, so that it does not hide what
`unix_stream` and `unix_packets` hold.

Leans on sock_diag for unix sockets (3.3). https://github.com/checkpoint-restore/criu/issues/56 is akin: the senders'
addresses of queued messages.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/unix_accepted",), sources=("unix_accepted.c",), tags=("trait",))

CORRUPTIONS = {
    "paired": "stream_own",
    "named": "packet_client",
    "parted": "connection: cannot be sent",
}
"""What the self-test can damage, and what `check` must then say."""
