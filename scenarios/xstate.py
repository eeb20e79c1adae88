"""The processor's whole extended state, other values in each thread and in a signal's frame.

Each thread loads with xrstor what the nonce says: x87 registers with their tags, stack top and exception flags, MXCSR
with a rounding mode of its own, and every vector, mask and protection key register that the processor model has (from
CPUID leaf 0xd, so a wider model is covered without a change). A third thread was interrupted by a signal: its state
lies in the frame on an alternate stack, its handler holds other values.

Leans on NT_X86_XSTATE (2.6.34) and on rt_sigreturn, which checks the frame's size and magic against the processor's:
6.15 checked too strictly and lost vector state (https://git.kernel.org/linus/44eeff9bc467). `cpu` has the integer
registers. The guest's processor model has AVX2; a model without AVX cannot run this.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/xstate",), sources=("xstate.c",), libraries=("-lpthread",))

CORRUPTIONS = {
    "xmm": "thread 0: xmm: byte 147",
    "ymm": "thread 1: ymm, upper halves: byte 40",
    "flags": "thread 0: x87 status",
    "mxcsr": "thread 1: mxcsr",
    "frame": "interrupted by a signal: xmm: byte 82",
}
"""What the self-test can damage, and what `check` must then say."""
