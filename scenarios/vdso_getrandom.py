"""The vDSO's getrandom, called through an address from before the move, and the C library's, which uses it too.

Leans on __vdso_getrandom (6.11), whose state lies in a MAP_DROPPABLE mapping; glibc 2.41 calls it from getrandom()
and arc4random(). A scenario of its own, because CRIU does not redirect this symbol
(criu/arch/x86/include/asm/vdso.h lists those that it does): between kernels with different vDSOs the old code
reads where the old kernel's data page was. `kernel` counts for both sides, so a move to one that lacks it is a skip.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(command=("bin/vdso", "getrandom"), sources=("vdso.c",), needs=Needs(kernel="6.11"))

CORRUPTIONS = {
    "wrong": "getrandom: bytes 0 are nothing, or the same",
    "gone": "getrandom: died of Segmentation fault",
}
"""What the self-test can damage, and what `check` must then say."""
