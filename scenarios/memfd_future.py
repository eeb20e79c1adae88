"""A memory file whose present mapping may write while nothing that comes later can: F_SEAL_FUTURE_WRITE.

Wayland compositors and Android's shared memory are used in this way. Leans on F_SEAL_FUTURE_WRITE (5.1). A scenario
of its own, because whoever restores the mapping is by then a future writer.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/memfd_seals", "future"), sources=("memfd_seals.c",), needs=Needs(kernel="5.1")
)

CORRUPTIONS = {
    "byte": "file: byte 100",
    "unsealed": "file: can be written to",
    "sealed": "seals",
}
"""What the self-test can damage, and what `check` must then say."""
