"""What an unfinished run still owes: a square that passes so far must not look as if all of it had passed."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from harness.report.rundir import Run

SIGN = "…"
STYLE = "v-unfinished"
"""Of a square in which everything passed that has ended, and more may come."""
_AXES = ("userland", "mode", "scenario")


def axes(run: Run, cells: pd.DataFrame) -> Mapping[str, int] | None:
    """How many userlands, modes, scenarios and kernels a square may have cells of; None if nothing is missing.

    Their product is a bound: a plan may have fewer cells, and `run.json` does not list them. A square that has as many
    is whole; of one with fewer nobody knows until the run is.
    """
    planned = run.plan.get("cells")
    if len(cells) >= planned if isinstance(planned, int) else run.facts.get("finished"):
        return None
    found = {axis: set(cells[axis]) | set(map(str, run.plan.get(f"{axis}s", []))) for axis in _AXES}
    modes = len(found["mode"] - {"baseline"})
    return {
        "userland": len(found["userland"]),
        "mode": max(modes, 1),
        "scenario": len(found["scenario"]),
        "kernel": len(run.kernels),
    }
