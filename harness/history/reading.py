"""One run's folder read for the index: what it came to, judged by today's knowledge."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import pandas as pd

from harness.errors import HarnessError
from harness.matrix import ledger
from harness.matrix.cell import Outcome, Phase
from harness.matrix.ledger import Attempt
from harness.report import verdicts
from harness.report.compare import headline
from harness.report.rundir import RUN_FILE, Run, load
from harness.report.scope import Scope
from harness.report.status import Status, status_of
from harness.verdict.known import KnownBreakages
from harness.verdict.signature import normalize
from harness.verdict.verdict import Verdict

UNREADABLE = (HarnessError, OSError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError,
              ValueError)  # fmt: skip
"""What reading a folder raises when its files are not what the lab writes."""
_READ = (RUN_FILE, ledger.FILE, f"{verdicts.REMEDIES}/{ledger.FILE}")
_JUDGES = (
    "harness.verdict",
    "harness.report.compare",
    "harness.report.scope",
    "harness.report.status",
    "harness.report.verdicts",
    "harness.history.reading",
)
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Result:
    """A cell's last word."""

    cell: str
    verdict: Verdict
    status: Status
    outcome: Outcome
    phase: Phase
    signature: str | None
    """By today's normaliser; None if it passed or there was no error line."""
    seconds: float
    """Wall time of the attempt."""
    image_bytes: int | None


@dataclass(frozen=True)
class Reading:
    """What the index keeps of a run."""

    name: str
    began: datetime
    finished: datetime | None
    planned: int
    scope: Scope
    headline: str
    results: tuple[Result, ...]


def read(directory: Path, known: KnownBreakages) -> Reading:
    """Read and judge a run. Raises any of `UNREADABLE` if its files are not what the lab writes."""
    run = load(directory)
    judgements = verdicts.judge(run, known)
    results = tuple(_result(attempt, judgements[cell].verdict) for cell, attempt in run.final.items())
    told = [(str(result.verdict), str(result.outcome)) for result in results]
    return Reading(
        name=run.name,
        began=began(run),
        finished=_moment(run.facts.get("finished")),
        planned=run.planned,
        scope=Scope.of(run),
        # all of the frame that a headline looks at; the rest takes as long as the judgement
        headline=headline(run, pd.DataFrame(told, columns=["verdict", "outcome"], dtype=object)),
        results=results,
    )


def began(run: Run) -> datetime:
    """When a run began, UTC; a run that died before it wrote that down began with its first attempt."""
    first = run.attempts[0].started if run.attempts else None
    told = _moment(run.facts.get("started")) or _moment(first)
    return told or datetime.fromtimestamp(run.directory.stat().st_mtime, UTC)


def is_run(directory: Path) -> bool:
    """Whether a folder is a run's: hidden ones are not, and `latest` is a link to one and does not count twice."""
    if directory.is_symlink() or directory.name.startswith("."):
        return False
    return any((directory / name).is_file() for name in _READ[:2])


def fingerprint(directory: Path) -> str:
    """Changes whenever one of the files changes from which a run is judged."""
    parts = []
    for name in _READ:
        try:
            found = (directory / name).stat()
        except OSError:
            parts.append("-")
        else:
            parts.append(f"{found.st_mtime_ns}:{found.st_size}")
    return " ".join(parts)


def knowledge() -> str:
    """Changes whenever today's judgement of an old run could be another: rules, normaliser, known breakages."""
    digest = hashlib.sha256()
    for name, content in _rules():
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _rules() -> Iterator[tuple[str, bytes]]:
    for name in _JUDGES:
        package, _, module = name.rpartition(".")
        file = resources.files(package).joinpath(f"{module}.py")
        if file.is_file():
            yield name, file.read_bytes()
            continue
        for entry in sorted(resources.files(name).iterdir(), key=lambda entry: entry.name):
            if entry.name.endswith((".py", ".yaml")):
                yield f"{name}.{entry.name}", entry.read_bytes()


def _result(attempt: Attempt, verdict: Verdict) -> Result:
    # Of the error rather than the ledger's own, which an older normaliser may have made.
    told = attempt.error or attempt.signature
    wall = sum(value for phase, value in attempt.seconds.items() if phase != "guest")
    size = attempt.image_bytes
    return Result(
        cell=str(attempt.cell),
        verdict=verdict,
        status=status_of(verdict, attempt.outcome),
        outcome=attempt.outcome,
        phase=attempt.phase,
        signature=normalize(told) if told and attempt.outcome is not Outcome.PASS else None,
        seconds=round(wall, 3),
        image_bytes=size if isinstance(size, int) and 0 <= size <= _LARGEST else None,
    )


def _moment(text: object) -> datetime | None:
    try:
        told = datetime.fromisoformat(text) if isinstance(text, str) else None
        return told and (told if told.tzinfo else told.replace(tzinfo=UTC)).astimezone(UTC)
    except (OverflowError, ValueError):
        return None
