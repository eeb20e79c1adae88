"""What was found of one kernel: the probe's findings, and beside them what the CRIU of each userland says."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from harness.errors import HarnessError
from harness.surface.catalogue import Catalogue
from harness.verdict.order import KernelVersion

SCHEMA = 1
Value = int | str | tuple[str, ...] | None


@dataclass(frozen=True)
class KernelName:
    """Which kernel a record is about."""

    label: str
    release: str
    version: str | None
    sha256: str

    @property
    def place(self) -> KernelVersion:
        """Its place in the kernels' history."""
        return KernelVersion.of(self.release, self.version)


@dataclass(frozen=True)
class Finding:
    """What one probe said."""

    result: str
    """`ok`, the name of an errno, the signal that ended the probe, `timeout`, `silent`, or `unasked`."""
    value: Value = None

    def __str__(self) -> str:
        """Result and value as they are shown; a list by its length."""
        if self.value is None:
            return self.result
        said = f"{len(self.value)} items" if isinstance(self.value, tuple) else str(self.value)
        return said if self.result == "ok" else f"{self.result} ({said})"


@dataclass(frozen=True)
class CriuFindings:
    """What one userland's `criu check` says of the kernel."""

    version: str
    returncode: int
    """Of `criu check --all`."""
    said: tuple[str, ...]
    """Its lines."""
    features: Mapping[str, bool]
    """By name: what `criu check --feature NAME` found."""


@dataclass(frozen=True)
class Record:
    """One kernel's surface."""

    kernel: KernelName
    cpu: str
    accelerator: str
    kernel_arguments: tuple[str, ...]
    probe: str
    """Digest of the probe's sources; records of two probes need not compare in what only one of them asks."""
    findings: Mapping[str, Finding]
    criu: Mapping[str, CriuFindings]
    """By userland."""
    seconds: float
    """That the probe took in the guest."""

    def with_criu(self, other: Record) -> Record:
        """This record and what another userland's CRIU says of the same kernel."""
        return replace(self, criu={**self.criu, **other.criu})

    def labelled(self, label: str) -> Record:
        """The same kernel under the label that this run has for it."""
        return replace(self, kernel=replace(self.kernel, label=label))


def parse(output: str, catalogue: Catalogue) -> dict[str, Finding]:
    """The findings in the probe's output. Raises `HarnessError` if that is not what the probe prints."""
    found: dict[str, Finding] = {}
    for line in output.splitlines():
        try:
            said = json.loads(line)
            found[said["id"]] = Finding(
                said["result"], _value(said.get("value"), catalogue[said["id"]].ordered)
            )
        except (ValueError, KeyError, TypeError) as error:
            raise HarnessError(f"the surface's probe printed {line[:200]!r}") from error
    return found


def _value(value: Any, ordered: bool = True) -> Value:  # noqa: ANN401  out of JSON
    if isinstance(value, list):
        items = [str(item) for item in value]
        return tuple(items if ordered else sorted(items))
    return value if isinstance(value, int | str) else None


def dump(record: Record) -> dict[str, Any]:
    """The record as JSON."""
    found = {
        id: {"result": finding.result} | ({} if finding.value is None else {"value": finding.value})
        for id, finding in record.findings.items()
    }
    return {"schema": SCHEMA, **asdict(replace(record, findings={})), "findings": found}


def undump(document: Mapping[str, Any]) -> Record:
    """The record that a JSON document holds. Raises `HarnessError` with what is wrong with it."""
    if wrong := problems(document):
        raise HarnessError(f"no record of a surface: {wrong[0]}")
    return Record(
        kernel=KernelName(**document["kernel"]),
        cpu=document["cpu"],
        accelerator=document["accelerator"],
        kernel_arguments=tuple(document["kernel_arguments"]),
        probe=document["probe"],
        findings={
            id: Finding(one["result"], _value(one.get("value"))) for id, one in document["findings"].items()
        },
        criu={
            name: CriuFindings(one["version"], one["returncode"], tuple(one["said"]), one["features"])
            for name, one in document["criu"].items()
        },
        seconds=document["seconds"],
    )


def read(path: Path) -> Record:
    """A record from its file. Raises `HarnessError`."""
    try:
        return undump(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise HarnessError(f"{path}: {error}") from error
    except HarnessError as error:
        raise HarnessError(f"{path}: {error}") from error


def write(path: Path, record: Record) -> None:
    """Write a record, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text_of(record))
    Path(temporary).chmod(0o644)
    Path(temporary).replace(path)


def text_of(record: Record) -> str:
    """A record's file: one line a finding, so that two of them can be compared with any tool."""
    document = dump(record)
    findings = document.pop("findings")
    lines = [f"  {json.dumps(id)}: {json.dumps(one)}" for id, one in findings.items()]
    head = json.dumps(document, indent=1, ensure_ascii=True)
    return head.removesuffix("\n}") + ',\n "findings": {\n' + ",\n".join(lines) + "\n }\n}\n"


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of a record."""
    text = resources.files("harness.surface").joinpath("surface.schema.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def problems(document: object) -> list[str]:
    """What is wrong with a record, in words; empty if nothing is."""
    errors = Draft202012Validator(schema()).iter_errors(document)
    return [f"{error.json_path}: {error.message}" for error in errors]


def merge(records: Iterable[Record]) -> Record:
    """One kernel's records in several userlands as one; the findings are the first one's."""
    first, *more = records
    for record in more:
        first = first.with_criu(record)
    return first
