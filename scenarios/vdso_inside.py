"""A thread that is amid the vDSO's clock_gettime while it is dumped, held there by a signal's handler.

When the handler returns, the thread goes on in the middle of the source's vDSO code, of which CRIU has patched the
first instructions alone, and whose data page belonged to the source's kernel.

Leans on arch_prctl's ARCH_MAP_VDSO_64 (4.9). A scenario of its own, because CRIU leaves this open
(https://github.com/checkpoint-restore/criu/issues/512); the same kernel on both sides has the same vDSO, so only a
move between kernels can show it.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/vdso_inside",), sources=("vdso_inside.c",), libraries=("-lpthread",))

CORRUPTIONS = {
    "released": "the thread is not inside the vDSO",
    "data": "the vDSO died of Segmentation fault",
}
"""What the self-test can damage, and what `check` must then say."""
