"""A process without huge pages but where it asked for them: PR_SET_THP_DISABLE with PR_THP_DISABLE_EXCEPT_ADVISED.

Leans on that flag (6.18). A scenario of its own, because the answer of PR_GET_THP_DISABLE (1 before, now 1 or 3) is
what CRIU up to 4.2 hands back to PR_SET_THP_DISABLE as a plain switch.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/thp", "except-advised"),
    sources=("thp.c",),
    needs=Needs(kernel="6.18", config=("CONFIG_TRANSPARENT_HUGEPAGE",)),
    tags=("trait",),
)

CORRUPTIONS = {
    "byte": "area: byte 11",
    "enabled": "PR_GET_THP_DISABLE: is 0, expected 3",
    "other": "PR_GET_THP_DISABLE: is 1, expected 3",
}
"""What the self-test can damage, and what `check` must then say."""
