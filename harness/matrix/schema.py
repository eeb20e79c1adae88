"""Whether a run's files are what `docs/ledger.md` says: their JSON Schemas, and the check against them."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from jsonschema import Draft202012Validator

from harness.matrix.ledger import FILE

Kind = Literal["ledger", "run", "matrix"]


@cache
def schema(kind: Kind) -> dict[str, Any]:
    """The JSON Schema of a ledger's line, of `run.json`, or of `matrix.json`."""
    text = resources.files("harness.matrix").joinpath(f"{kind}.schema.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def problems(document: object, kind: Kind) -> list[str]:
    """What is wrong with a document, in words; empty if nothing is."""
    errors = Draft202012Validator(schema(kind)).iter_errors(document)
    return [f"{error.json_path}: {error.message}" for error in errors]


def check_run(directory: Path) -> list[str]:
    """What is wrong in a run's folder: `run.json`, the ledger's whole lines, `matrix.json` if it is there.

    A torn last line is no problem: that attempt never counted.
    """
    found: list[str] = []
    documents: tuple[Kind, ...] = ("run", "matrix")
    for kind in documents:
        path = directory / f"{kind}.json"
        if path.exists():
            found += [f"{path.name}: {text}" for text in _text_problems(path.read_text("utf-8"), kind)]
        elif kind == "run":
            found.append(f"{path.name}: not there")
    ledger = directory / FILE
    lines = ledger.read_bytes().split(b"\n")[:-1] if ledger.exists() else []
    for number, line in enumerate(lines, 1):
        text = line.decode("utf-8", "replace")
        found += [f"{FILE}:{number}: {problem}" for problem in _text_problems(text, "ledger")]
    return found


def _text_problems(text: str, kind: Kind) -> list[str]:
    try:
        document = json.loads(text)
    except ValueError as error:
        return [f"no JSON: {error}"]
    return problems(document, kind)
