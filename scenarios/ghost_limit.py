"""A nameless open file of 3 MiB, above the 1 MiB that CRIU puts into its images unless `--ghost-limit` allows more.

CRIU refuses such a dump by design: the limit is there so that a deleted log file of many gigabytes does not end up in
the images unasked. `unlinked` has files below the limit.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/ghost_limit",),
    sources=("ghost_limit.c",),
    refusal=r"Can't dump ghost file .* increase limit",
    tags=("trait",),
)

CORRUPTIONS = {
    "byte": "ghost: byte 314572[67]",
    "short": "ghost: is shorter",
    "name": "links",
}
"""What the self-test can damage, and what `check` must then say."""
