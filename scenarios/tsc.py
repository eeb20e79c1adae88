"""A process that may not read the time stamp counter: PR_SET_TSC with PR_TSC_SIGSEGV, as replayers use it.

Leans on PR_SET_TSC (2.6.26, x86). A scenario of its own, because CRIU does not save it.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/trait", "tsc"), sources=("trait.c",), needs=Needs(kernel="2.6.26"), tags=("trait",)
)

CORRUPTIONS = {"lost": "tsc: is 1, expected 2"}
"""What the self-test can damage, and what `check` must then say."""
