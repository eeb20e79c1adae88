"""A System V segment that was removed (IPC_RMID) while two processes are attached to it.

The usual way to make shared memory that cannot be left behind: it has lost its key and goes with the last process
that lets go of it. CRIU (seen with 4.1.1) carries the bytes and both maps, and does not remove the segment again:
after the restore it outlives all that were attached, until its namespace ends or somebody finds and removes it.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/sysv_removed",),
    sources=("sysv_removed.c",),
    needs=Needs(config=("CONFIG_SYSVIPC", "CONFIG_IPC_NS")),
    tags=("trait",),
)

CORRUPTIONS = {
    "byte": "segment: byte 5000",
    "private": "segment, after the child wrote: byte 77",
    "kept": "'mode'|segment: is still there|segment, after the child wrote",
}
"""What the self-test can damage, and what `check` must then say."""
