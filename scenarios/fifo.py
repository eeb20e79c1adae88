"""Named fifos: bytes in flight, ends that one process alone has, no name, a second path, processes that wait.

One descriptor for both directions with unread bytes; one fifo by two paths, written by parent and child, of a chosen
size; a reading end that never had a writer; an unlinked fifo with bytes; bytes whose writer has gone; a
process that waits in read, and one that waits in open for a writer. A pipe of packets is `packet_pipe`.

Leans on tee(2) and splice(2), F_SETPIPE_SZ (2.6.35); on restarting open(2) of a fifo, which is no descriptor yet.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/fifo",), sources=("fifo.c",))

CORRUPTIONS = {
    "lost": "both: 4999 bytes",
    "refilled": "nameless: byte",
    "writer": "orphan: no end",
    "renamed": "shared: <> came out|shared: is not empty",
    "reader": "quiet: nobody has it open",
    "opener": "missed: nobody has it open|missed: its reader",
}
"""What the self-test can damage, and what `check` must then say."""
