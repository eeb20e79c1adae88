"""Guard regions that are no mappings of their own: MADV_GUARD_INSTALL, which glibc 2.42 puts below thread stacks.

Two pages in the midst of an area fault, their neighbours keep their bytes, and MADV_GUARD_REMOVE gives empty pages.

Leans on MADV_GUARD_INSTALL (6.13) and on PAGEMAP_SCAN's PAGE_IS_GUARD (6.16), the only way to find them. A scenario
of its own: CRIU before 4.2 does not know them (https://github.com/checkpoint-restore/criu/issues/2626).
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(command=("bin/guard",), sources=("guard.c",), needs=Needs(kernel="6.13"), tags=("trait",))

CORRUPTIONS = {
    "byte": "below the guard: byte 9",
    "removed": "guard: reading gives signal 0",
    "emptied": "above the guard: byte",
    "protected": "former guard: writing gives signal 11",
}
"""What the self-test can damage, and what `check` must then say."""
