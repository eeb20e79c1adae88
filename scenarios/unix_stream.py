"""Unix stream sockets: bytes in both directions, shut halves, a bound listener, a connection not accepted yet.

One pair holds unread bytes both ways and has options of its own; in another one side has shut its writing half behind
unread bytes; in a third its reading half. A listener has a name in the file system, which must lead to it afterwards,
one connection that was accepted and one that still waits. Unlike TCP's, a waiting unix connection travels, as long as
nothing was sent over it ("Non-empty write queue on an in-flight socket" otherwise).

Leans on sock_diag for unix sockets (3.3) with their peers and waiting connections, SO_PEEK_OFF (3.4) to read the
queues without taking from them, SIOCUNIXFILE (4.13) to find the name, SO_PEERCRED. SO_BUF_LOCK (5.15) cannot be taken
back by an older kernel.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/unix_stream",), sources=("unix_stream.c",))

CORRUPTIONS = {
    "lost": "pair, down: only 2999 of 3000",
    "refilled": "connection: byte",
    "unshut": "deaf: bytes can be sent",
    "forgotten": "what waited is not there",
    "renamed": "a new connection by name does not arrive",
    "passcred": "listener_passcred",
    "timeout": "timeout_ms",
}
"""What the self-test can damage, and what `check` must then say."""
