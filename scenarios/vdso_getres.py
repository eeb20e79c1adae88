"""The vDSO's clock_getres, called through an address from before the move.

Leans on __vdso_clock_getres (5.3 on x86). A scenario of its own, because CRIU does not redirect this symbol
(criu/arch/x86/include/asm/vdso.h lists those that it does): between kernels with different vDSOs the old code
reads where the old kernel's data page was.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(command=("bin/vdso", "clock_getres"), sources=("vdso.c",), needs=Needs(kernel="5.3"))

CORRUPTIONS = {
    "wrong": "clock_getres: clock 1 has not the resolution",
    "gone": "clock_getres: died of Segmentation fault",
}
"""What the self-test can damage, and what `check` must then say."""
