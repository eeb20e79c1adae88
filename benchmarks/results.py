"""Tables of figures, kept as JSON so that two machines or two versions can be compared."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from benchmarks.measure import ROOT


def write_down(head: Sequence[str], rows: Iterable[Sequence[object]], name: str = "") -> None:
    """Keep a table in `benchmarks/results`, with when and where it was made, and say where it is."""
    directory = ROOT / "benchmarks" / "results"
    directory.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    record = {
        "made": now.isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "host": platform.release(),
        "figures": [dict(zip(head, row, strict=True)) for row in rows],
    }
    path = directory / f"{name}{now:%Y%m%d-%H%M%S}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    print(f"\nwritten to {path.relative_to(ROOT)}")
