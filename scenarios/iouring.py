"""An io_uring: a read that waits for a pipe and a completion that nobody has looked at yet.

CRIU carries no io_uring and refuses the dump when it meets the ring's mapping
(https://github.com/checkpoint-restore/criu/issues/2131): that is the expected result, and a CRIU that learns it is
checked like any other.

Leans on io_uring_setup (5.1), one mapping for both rings (5.4), IORING_OP_READ (5.6).
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/iouring",),
    sources=("iouring.c",),
    needs=Needs(config=("CONFIG_IO_URING",), kernel="5.6"),
    refusal=r"anon_inode:\[io_uring\]",
    tags=("trait",),
)

CORRUPTIONS = {
    "ring": "the ring takes no request",
    "completion": "finished request: completion of 0x2222|finished request: no completion",
    "request": r"'completions': \(1, 2\)|waiting read: byte",
}
