"""File leases: one for reading, one for writing, one that another process is breaking, with a signal of their own.

A process that wants a leased file gets EWOULDBLOCK and the holder a real-time signal that names the descriptor
(F_SETSIG); a reader gets a file leased for reading. The lease that is being broken stays so until the holder
downgrades it, or until /proc/sys/fs/lease-break-time (45 s) is over.

Leans on the `lock:` lines of /proc/PID/fdinfo (4.1), LEASE BREAKING among them. CRIU wants `--file-locks` on both
steps.
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
    "unbroken": "breaking",
}
"""What the self-test can damage, and what `check` must then say."""
