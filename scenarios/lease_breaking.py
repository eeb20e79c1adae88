"""A file lease that another process is breaking; the holder has been told and has not answered yet.

The file stays closed to others until the holder downgrades the lease, or until /proc/sys/fs/lease-break-time (45 s) is
over. CRIU finds the state as `BREAKING` in fdinfo's `lock:` line (4.1) and makes it again by taking the lease and
breaking it: the lease is as it was, and the holder gets its signal a second time.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/leases", "breaking"),
    sources=("leases.c",),
    needs=Needs(config=("CONFIG_FILE_LOCKING",)),
    criu=("--file-locks",),
    tags=("trait",),
)

CORRUPTIONS = {
    "unbroken": "breaking: the holder is told|'breaking'",
    "given_up": "breaking: another process gets error 0",
    "told": "breaking: the holder is told again",
}
"""What the self-test can damage, and what `check` must then say."""
