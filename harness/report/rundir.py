"""A run's folder, read: `run.json` and the ledger. Whole runs, half-finished ones and empty ones alike."""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from harness.errors import HarnessError
from harness.matrix import ledger
from harness.matrix.cell import Cell
from harness.matrix.ledger import Attempt

RUN_FILE = "run.json"


@dataclass(frozen=True)
class Run:
    """What is on disk of one run."""

    directory: Path
    facts: dict[str, Any]
    """`run.json`; empty if the run died before it was written. It is the host's own word."""
    attempts: tuple[Attempt, ...]

    @cached_property
    def final(self) -> dict[Cell, Attempt]:
        """Each cell's last word; a cell that is still being tried has none."""
        return ledger.final_states(list(self.attempts))

    @property
    def name(self) -> str:
        """The run's id."""
        return str(self.facts.get("id") or self.directory.name)

    @property
    def plan(self) -> dict[str, Any]:
        """The plan in `run.json`, or an empty one."""
        plan = self.facts.get("plan")
        return plan if isinstance(plan, dict) else {}

    @property
    def planned(self) -> int:
        """How many cells the run was to have; never fewer than have ended."""
        cells = self.plan.get("cells")
        return max(cells if isinstance(cells, int) else 0, len(self.final))

    @cached_property
    def kernels(self) -> list[str]:
        """Kernel labels in the plan's order, then those that only the ledger knows, by version."""
        listed = [
            str(k["label"]) for k in self.plan.get("kernels", []) if isinstance(k, dict) and "label" in k
        ]
        releases: dict[str, str] = {}
        for attempt in self.attempts:
            for side, label in (("source", attempt.cell.source), ("destination", attempt.cell.destination)):
                known = attempt.kernels.get(side)
                releases.setdefault(label, known.release if known else label)
        rest = sorted(releases.keys() - set(listed), key=lambda label: (version_key(releases[label]), label))
        return list(dict.fromkeys(listed)) + rest

    def log(self, relative: str) -> Path | None:
        """A log that the ledger names, if it is a file inside the run's folder."""
        if not is_inside(relative):
            return None
        try:
            path = (self.directory / relative).resolve()
            inside = path.is_relative_to(self.directory.resolve()) and path.is_file()
        except (OSError, ValueError):  # a name that no file system takes
            return None
        return path if inside else None


def load(run_dir: Path) -> Run:
    """Read a run's folder. Raises HarnessError if it is none, or if its files are not what they should be."""
    if not run_dir.is_dir():
        raise HarnessError(f"no run at {run_dir}", hint="ls reports/")
    try:
        path = run_dir / RUN_FILE
        facts = json.loads(path.read_text("utf-8")) if path.exists() else {}
        attempts = tuple(ledger.read(run_dir))
    except (KeyError, TypeError, ValueError) as error:
        raise HarnessError(f"{run_dir} holds no run that can be read: {error!r}") from error
    return Run(run_dir, facts if isinstance(facts, dict) else {}, attempts)


def version_key(release: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts `6.1.9` before `6.1.10` and `6.12`; words before the first number do not count."""
    parts = re.findall(r"\d+|[^\d.]+", re.sub(r"^\D+", "", release))
    return tuple((1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts)


def is_inside(relative: str) -> bool:
    """Whether a path from the ledger stays in the run's folder by its words alone."""
    return bool(relative) and not relative.startswith("/") and ".." not in PurePosixPath(relative).parts


def link(relative: str) -> str | None:
    """A link to a file of the run from a page in its folder; None if it would lead elsewhere."""
    if not is_inside(relative):
        return None
    try:
        # The leading ./ keeps a name with a colon from being read as a scheme.
        return "./" + quote(relative.encode("utf-8", "surrogateescape"), safe="/")
    except UnicodeEncodeError:
        return None


def encoded(text: str) -> bytes:
    """A report's bytes: UTF-8, whatever bytes of a guest are in it."""
    return text.encode("utf-8", "backslashreplace")


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never half of one."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(encoded(text))
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
