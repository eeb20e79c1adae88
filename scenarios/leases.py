"""File leases: one for reading and one for writing, with a signal of their own.

A process that wants a leased file gets EWOULDBLOCK and the holder a real-time signal that names the descriptor
(F_SETSIG), once; a reader gets a file leased for reading. A lease given up lets the other in at once.

Leans on the `lock:` lines of /proc/PID/fdinfo (4.1). CRIU wants `--file-locks` on both steps. A lease that is being
broken has a scenario of its own, `lease_breaking`.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/leases",),
    sources=("leases.c",),
    needs=Needs(config=("CONFIG_FILE_LOCKING",)),
    criu=("--file-locks",),
)

CORRUPTIONS = {
    "lost": "read-lease: another process gets error 0",
    "weaker": "'write-lease'|write-lease: another process gets error 0",
    "signal": "write-lease_signal|write-lease: the holder is told of descriptor -1",
    "owner": "read-lease: the holder is told of descriptor -1",
}
"""What the self-test can damage, and what `check` must then say."""
