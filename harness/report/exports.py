"""`matrix.json` and `matrix.csv`: the final state of every cell, for machines."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
from pandas.api.types import is_object_dtype

from harness.report import frames
from harness.report.compare import ChangeKind, Comparison, headline
from harness.report.rundir import Run
from harness.report.sanitize import visible
from harness.report.scope import Scope
from harness.verdict.signature import NORMALISER

SCHEMA_VERSION = 2
JSON_FILE = "matrix.json"
CSV_FILE = "matrix.csv"

_FORMULA = ("=", "+", "-", "@")


def as_json(run: Run, cells: pd.DataFrame, comparison: Comparison | None = None) -> str:
    """The document that `docs/ledger.md` describes; the same run gives the same bytes."""
    document: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "run": run.name,
        "finished": run.facts.get("finished"),
        "normaliser": NORMALISER,
        "scope": Scope.of(run).digest,
        "headline": headline(run, cells, comparison),
        "kernels": run.kernels,
        "planned": run.planned,
        "counts": {str(outcome): n for outcome, n in frames.counts(cells["outcome"]).items()},
        "verdicts": {str(verdict): n for verdict, n in frames.verdict_counts(cells["verdict"]).items()},
        "cells": _records(cells),
        "squares": _records(frames.squares(cells).reset_index()),
        "baselines": _records(frames.squares(cells, baselines=True).reset_index()),
        "comparison": None if comparison is None else _comparison(comparison),
    }
    # Escaped, so that a lone surrogate in an error survives and the file is plain ASCII to any reader.
    return json.dumps(document, ensure_ascii=True, indent=None, separators=(",", ":")) + "\n"


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "run": comparison.before,
        "scope": comparison.before_scope.digest,
        "fair": comparison.fair,
        "differences": list(comparison.differences),
        "unknown": list(comparison.unknown),
        "kernels_changed": list(comparison.kernels_changed),
        "counts": {str(kind): len(comparison.of_kind(kind)) for kind in ChangeKind},
        "changes": [
            {
                "cell": str(change.cell),
                "kind": str(change.kind),
                "before": change.before and str(change.before),
                "after": change.after and str(change.after),
                "before_signature": change.before_signature,
                "after_signature": change.after_signature,
                "other_cause": change.other_cause,
            }
            for change in comparison.changes
        ],
        "lost": [
            {"cell": str(one.cell), "before": str(one.before), "after": str(one.after), "passed": one.passed}
            for one in comparison.lost
        ],
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    names = [str(name) for name in frame.columns]
    columns = (frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in names)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def as_csv(cells: pd.DataFrame) -> str:
    """One line a cell. Text is made visible, names too, and can be no formula in a spreadsheet."""
    safe = cells.copy()
    for name in filter(lambda column: is_object_dtype(cells[column]), cells.columns):
        # most columns hold few different values
        shown = {value: _plain(value) for value in set(cells[name])}
        safe[name] = pd.Series([shown[value] for value in cells[name]], index=cells.index, dtype=object)
    return safe.to_csv(index=False, lineterminator="\n")


def _plain(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
