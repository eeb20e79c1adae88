"""Descriptors in flight in unix sockets.

Messages wait in a stream and in a datagram socket that carry a pipe's only reading end with bytes in it, a file that
shares its offset with a descriptor that stayed behind, an eventfd, and both ends of a socket pair that exist nowhere
else.

Leans on SO_PEEK_OFF (3.4) and on MSG_PEEK, which installs a message's descriptors each time. SO_BUF_LOCK (5.15)
cannot be taken back by an older kernel.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/unix_rights",), sources=("unix_rights.c",))

CORRUPTIONS = {
    "exchanged": "the sent pipe: not all bytes",
    "reopened": "the file that stayed: its offset",
    "empty-handed": "a pair: 0 descriptors came, expected 2",
    "offset": "the sent file: byte [0-9]+ of 100 ",
}
"""What the self-test can damage, and what `check` must then say."""
