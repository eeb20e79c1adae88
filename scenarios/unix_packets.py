"""Unix datagram and seqpacket sockets: message boundaries, names abstract and in the file system.

A datagram pair and a seqpacket pair hold messages of several lengths. A datagram socket bound in the file system has
two connected writers and a message of each; one has an abstract name and no peer. A seqpacket listener has an
abstract name and an accepted connection.

Leans on sock_diag for unix sockets (3.3), SO_PEEK_OFF (3.4), SIOCUNIXFILE (4.13). SO_BUF_LOCK (5.15) cannot be taken
back by an older kernel. A message without any byte is the scenario `unix_empty`.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/unix_packets",), sources=("unix_packets.c",))

CORRUPTIONS = {
    "glued": "seqpacket, back: a message of 1200 bytes, expected 120",
    "swapped": "mail: a message of 240 bytes",
    "nameless": "loner: cannot be reached",
    "disconnected": "mail, later: cannot be sent",
    "deaf": "listener: its name does not lead",
}
"""What the self-test can damage, and what `check` must then say."""
