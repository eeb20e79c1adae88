"""A process without huge pages: PR_SET_THP_DISABLE. What it maps later gets none, advised or not.

Leans on PR_SET_THP_DISABLE (3.15, without marking the mappings themselves since 4.13).
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/thp",),
    sources=("thp.c",),
    needs=Needs(kernel="4.13", config=("CONFIG_TRANSPARENT_HUGEPAGE",)),
)

CORRUPTIONS = {
    "byte": "area: byte 11",
    "enabled": "PR_GET_THP_DISABLE: is 0, expected 1",
    "other": "area_flags",
}
"""What the self-test can damage, and what `check` must then say."""
