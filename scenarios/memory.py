"""Anonymous memory in every shape a mapping can have: advice, protection, holes, growth, a heap, many pieces.

Areas that are locked, kept from children, from core dumps, for merging, with and without huge pages, read in order
or at random, unreserved, inaccessible with bytes behind, read-only, executable, each between two guard pages; a
sparse area; one torn by mremap; a stack that grows by itself; bytes below the break; two hundred mappings of one page.

Leans on VmFlags in /proc/PID/smaps (3.8), from which CRIU takes advice and MAP_LOCKED, MAP_GROWSDOWN and
MAP_NORESERVE; on pagemap for holes; on PR_SET_MM_MAP (3.18) for the break. MADV_WIPEONFORK and mlock2's
MLOCK_ONFAULT are scenarios of their own (`wipeonfork`, `onfault`), because CRIU before 4.2 loses them.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/memory",),
    sources=("memory.c",),
    needs=Needs(config=("CONFIG_KSM", "CONFIG_TRANSPARENT_HUGEPAGE")),
)

CORRUPTIONS = {
    "byte": "undumped: byte 5000",
    "unlocked": "locked: kB: is 0",
    "forked": "unforked: what the child got for reading it: is 0",
    "advice": "at_random_flags",
    "materialised": "sparse: 60 pages are populated",
    "guard": "guard page: reading gives signal 0",
    "mended": "torn, the hole: reading gives signal 0",
    "merged": "striped, an even page: writing gives signal 0",
    "stunted": "growing, one page further",
}
"""What the self-test can damage, and what `check` must then say."""
