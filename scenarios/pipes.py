"""Bytes in flight: pipes, a named fifo and socket pairs, shared between a parent and its child.

A pipe that both processes read in turns, a non-blocking pipe of a chosen size filled to the brim, a fifo, a stream
socket pair with bytes in both directions, a datagram socket pair with three messages. Nothing is read before the
check; then the bytes are compared with what the nonce says they were, and each channel must end when its last
writer closes it.

Leans on tee(2) and splice(2), F_SETPIPE_SZ (2.6.35), SO_PEEK_OFF (3.4), sock_diag for unix sockets (3.3). The
socket options that CRIU saves include SO_BUF_LOCK (5.15), which an older kernel cannot take back.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/pipes",), sources=("pipes.c",))

CORRUPTIONS = {
    "lost": "fifo: only 999 of 1000 bytes",
    "refilled": "shared pipe, first half: byte",
    "datagrams": "datagram 0",
    "added": "downwards: 1 bytes too many",
    "flags": "has become non-blocking",
    "writer": "shared pipe: no end",
    "replaced": "shared pipe, first half: byte",
    "fifo": "fifo: cannot be written to by name",
}
"""What the self-test can damage, and what `check` must then say."""
