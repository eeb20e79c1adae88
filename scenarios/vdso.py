"""The vDSO's symbols of old, called through addresses from before the move: clock_gettime, gettimeofday, time, getcpu.

A program looks these addresses up once, and the destination's kernel has another vDSO with other addresses. Each is
asked for every clock that it knows; what it says must lie between what two system calls say. A call that crashes or
never returns is named, not waited for.

Leans on arch_prctl's ARCH_MAP_VDSO_64 (4.9): CRIU keeps the old vDSO's code and patches its symbols with jumps to the
new one's. It does so for those symbols alone that it knows; `vdso_getres` and `vdso_getrandom` hold two others.
The same kernel on both sides never shows it, because its vDSO is the same.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/vdso", "clock_gettime", "gettimeofday", "time", "getcpu"), sources=("vdso.c",)
)

CORRUPTIONS = {
    "wrong": "clock_gettime: CLOCK_MONOTONIC is not .* gettimeofday: is not .* time: is not .* getcpu: cpu",
    "gone": "clock_gettime: died of Segmentation fault",
}
"""What the self-test can damage, and what `check` must then say."""
