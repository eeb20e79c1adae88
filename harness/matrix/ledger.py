"""The ledger: `results.jsonl`, one line an attempt, appended and flushed as it happens. Reports read nothing else."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.matrix.cell import Cell, Isolation, Outcome, Phase, Reason

SCHEMA_VERSION = 1
FILE = "results.jsonl"


@dataclass(frozen=True)
class KernelIdentity:
    """Which kernel a label stood for when the attempt was made."""

    release: str
    version: str | None
    sha256: str


@dataclass(frozen=True)
class Attempt:
    """One try at one cell, as it is written down. Field by field documented in `docs/ledger.md`."""

    cell: Cell
    attempt: int
    isolation: Isolation
    outcome: Outcome
    phase: Phase
    kernels: dict[str, KernelIdentity]
    """`source` and `destination`."""
    final: bool
    """Whether this line is the cell's last word; an attempt that will be tried again is not."""
    error: str | None = None
    """The first true error line, untrusted text from the guest or the lab's own words."""
    reason: Reason | None = None
    """What kind of thing ended it; None if it passed, and in ledgers that did not write it down."""
    signature: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall seconds by phase, and `guest` for what ran inside the guest."""
    image_bytes: int | None = None
    dump_seconds: float | None = None
    """Seconds that the dump of this checkpoint ran inside the guest; None if none was made, or nobody wrote it down."""
    criu: str | None = None
    accelerator: str = "tcg"
    cpu: str = ""
    slot: int = 0
    started: str = ""
    """ISO 8601, UTC."""
    logs: dict[str, str] = field(default_factory=dict)
    """Name to path, relative to the run's directory."""

    def as_json(self) -> dict[str, Any]:
        """The line's object; `cell` is the name and its parts stand beside it."""
        record = {"schema": SCHEMA_VERSION, **asdict(self)}
        record["cell"] = str(self.cell)
        record.update(asdict(self.cell))
        return record

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Attempt:
        """Read a line's object back. Raises KeyError or ValueError on a line of another shape."""
        values = {k: v for k, v in record.items() if k in cls.__dataclass_fields__}
        values["cell"] = Cell(*(record[k] for k in ("userland", "mode", "scenario", "source", "destination")))
        values["isolation"] = Isolation(record["isolation"])
        values["outcome"] = Outcome(record["outcome"])
        values["phase"] = Phase(record["phase"])
        values["reason"] = Reason(record["reason"]) if record.get("reason") else None
        values["kernels"] = {side: KernelIdentity(**k) for side, k in record["kernels"].items()}
        return cls(**values)


class Ledger:
    """The writing end. Safe to use from several threads; every line is on disk when `append` returns."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE
        self._lock = threading.Lock()
        self._mend_torn_tail()

    def _mend_torn_tail(self) -> None:
        # A harness killed in the middle of a write leaves a line without its newline. That attempt never counted.
        if not self.path.exists():
            return
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole != len(data):
            os.truncate(self.path, whole)

    def append(self, attempt: Attempt) -> None:
        """Write one attempt down."""
        line = json.dumps(attempt.as_json(), ensure_ascii=False) + "\n"
        with self._lock, self.path.open("ab") as file:
            file.write(line.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fsync(file.fileno())


def read(directory: Path) -> Iterator[Attempt]:
    """The attempts of a run, oldest first; a torn last line is passed over."""
    path = directory / FILE
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.endswith("\n"):
                yield Attempt.from_json(json.loads(line))


def final_states(attempts: Iterator[Attempt] | list[Attempt]) -> dict[Cell, Attempt]:
    """Each cell's last word."""
    return {a.cell: a for a in attempts if a.final}
