"""Memory that is locked as it is touched: what was touched is locked, what was not takes no memory.

Leans on mlock2 with MLOCK_ONFAULT (4.4), which smaps tells apart from mlock only by the number behind `Locked:`.
A scenario of its own, because CRIU up to 4.2 knows the flag `lo` alone: it maps the area with MAP_LOCKED, and the
kernel fills all of it (criu/proc_parse.c, parse_vmflags).
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/onfault",), sources=("onfault.c",), needs=Needs(kernel="4.4"), tags=("trait",)
)

CORRUPTIONS = {
    "byte": "area: byte 4096",
    "populated": "pages in memory: is 8",
    "unlocked": "locked: kB: is 0",
}
"""What the self-test can damage, and what `check` must then say."""
