"""What was run, in words: host, versions, plan, duration."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from harness.report.rundir import Run


def facts(run: Run, cells: pd.DataFrame) -> dict[str, str]:
    """A sentence's worth for each thing worth knowing of the run; what is not known is left out."""
    record = run.facts
    found = {
        "started": record.get("started"),
        "finished": record.get("finished") or "not yet",
        "duration": duration(record),
        "command": " ".join(map(str, record.get("argv", []))),
        "accelerator": record.get("accelerator") or distinct(cells["accelerator"]),
        "CPU model": record.get("cpu") or distinct(cells["cpu"]),
        "isolation": run.plan.get("isolation"),
        "guests at once": run.plan.get("slots"),
        "scenarios": ", ".join(map(str, run.plan.get("scenarios", []))),
        "modes": ", ".join(map(str, run.plan.get("modes", []))),
        "host": in_words(record.get("host")),
        "versions": in_words(record.get("versions")),
    }
    userlands = record.get("userlands")
    for name, what in (userlands if isinstance(userlands, dict) else {}).items():
        found[f"userland {name}"] = in_words(what)
    return {key: str(value) for key, value in found.items() if value not in (None, "")}


def duration(record: Mapping[str, Any]) -> str | None:
    """From start to end as `0:03:41`; None while it goes on."""
    try:
        span = datetime.fromisoformat(record["finished"]) - datetime.fromisoformat(record["started"])
    except (KeyError, TypeError, ValueError):
        return None
    return str(span).split(".", 1)[0]


def in_words(what: object) -> str:
    """A record in words; one inside another stands in parentheses."""
    if isinstance(what, dict):
        inner = (
            (key, f"({in_words(value)})" if isinstance(value, dict) else in_words(value))
            for key, value in what.items()
        )
        return ", ".join(f"{key} {value}" for key, value in inner if value)
    if isinstance(what, list):
        return " ".join(in_words(value) for value in what)
    return "" if what is None else str(what)


def distinct(column: pd.Series[Any]) -> str:
    """The values that a column has, sorted."""
    return ", ".join(sorted({str(value) for value in column.dropna()}))
