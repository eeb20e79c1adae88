"""`kcidb.json`: the run for KernelCI's common database, schema 5.3.

A test hangs on one build there. That is the kernel on which the cell ended, or the source where the verdict says that
the source is broken, so that a failed dump never speaks against a destination. A cause is an issue whose culprit is the
verdict's blame, and an incident joins it to each cell. `docs/formats.md` says what a submission needs besides.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime
from functools import lru_cache
from typing import Any

import pandas as pd

from harness.matrix.cell import Phase
from harness.matrix.ledger import Attempt, KernelIdentity
from harness.report.results import Result, results
from harness.report.rundir import Run
from harness.report.sanitize import visible
from harness.report.status import Status
from harness.verdict.known import Blame
from harness.verdict.signature import NORMALISER
from harness.verdict.verdict import Verdict

FILE = "kcidb.json"
ORIGIN = "kmatrix"
VERSION = {"major": 5, "minor": 3}
LOG_EXCERPT = 16384
"""Characters that the schema allows."""
_HASH = 24
"""Characters of a kernel's hash in its id."""
_AT_SOURCE = (Phase.START, Phase.BASELINE, Phase.DUMP)
_SEGMENT = re.compile(r"[^A-Za-z0-9_-]+")
_CULPRITS = {
    Blame.KERNEL: "code",
    Blame.CRIU: "tool",
    Blame.USERLAND: "harness",
    Blame.ENVIRONMENT: "harness",
    Blame.LAB: "harness",
}
Object = dict[str, Any]


def render(run: Run, cells: pd.DataFrame) -> str:
    """The document; the same run gives the same bytes, and ids of two runs never meet."""
    attempts = {str(cell): attempt for cell, attempt in run.final.items()}
    kernels: dict[str, KernelIdentity] = {}
    tests: list[Object] = []
    issues: dict[str, Object] = {}
    incidents: list[Object] = []
    for one in results(cells):
        attempt = attempts[one.cell]
        identities = {side: _kernel_id(kernel) for side, kernel in attempt.kernels.items()}
        kernels |= {identities[side]: kernel for side, kernel in attempt.kernels.items()}
        tests.append(_test(run, one, attempt, identities))
        if one.status is Status.FAIL:
            issue = _issue(one)
            issues.setdefault(issue["id"], issue)
            incidents.append(_incident(tests[-1]["id"], issue))
    document = {
        "version": VERSION,
        "checkouts": [_checkout(name, kernel) for name, kernel in kernels.items()],
        "builds": [_build(run, name, kernel) for name, kernel in kernels.items()],
        "tests": tests,
        "issues": list(issues.values()),
        "incidents": incidents,
    }
    return json.dumps(document, ensure_ascii=True, separators=(",", ":")) + "\n"


def _kernel_id(kernel: KernelIdentity) -> str:
    return f"{ORIGIN}:{_text(kernel.sha256[:_HASH] or kernel.release)}"


def _checkout(name: str, kernel: KernelIdentity) -> Object:
    said = f"{kernel.release} ({kernel.version})" if kernel.version else kernel.release
    return {"id": name, "origin": ORIGIN, "comment": _text(said), "valid": True}


def _build(run: Run, name: str, kernel: KernelIdentity) -> Object:
    host = run.facts.get("host")
    machine = str(host.get("machine", "")) if isinstance(host, dict) else ""
    facts = {
        "release": _text(kernel.release),
        "version": kernel.version and _text(kernel.version),
        "sha256": _text(kernel.sha256),
    }
    return {
        "id": name,
        "checkout_id": name,
        "origin": ORIGIN,
        "architecture": machine if re.fullmatch("[a-z0-9_]+", machine) else "x86_64",
        "misc": _known(facts),
    }


def _test(run: Run, one: Result, attempt: Attempt, identities: dict[str, str]) -> Object:
    test: Object = {
        "id": f"{ORIGIN}:{_text(run.name)}/{_text(one.cell)}",
        "origin": ORIGIN,
        "build_id": identities[_side(one)],
        "path": ".".join(("criu", _segment(one.mode), *map(_segment, one.scenario.split(".")))),
        "status": one.status.terms.kcidb,
        "duration": one.seconds,
        "comment": _text(f"{one.verdict}: {one.why}"),
        "environment": {
            "comment": _environment(one.userland, one.criu, one.accelerator, one.cpu),
            "misc": {"platform": f"{_segment(one.accelerator)}-guest"},
        },
        "misc": _known(
            {
                "runtime": ORIGIN,
                "source": _text(one.source),
                "destination": _text(one.destination),
                "source_build_id": identities["source"],
                "destination_build_id": identities["destination"],
                "verdict": str(one.verdict),
                "blame": one.blame,
                "known": one.known,
                "phase": one.phase,
                "attempts": one.attempts,
                # nobody can mend it: the older kernel cannot have what the newer one saved
                "expected": True if one.blame == Blame.DESIGN else None,
            }
        ),
    }
    if started := _time(attempt.started):
        test["start_time"] = started
    if one.error:
        test["log_excerpt"] = _text(one.error, LOG_EXCERPT // 16)
    return test


def _side(one: Result) -> str:
    source = one.verdict is Verdict.SOURCE_BROKEN or one.phase in _AT_SOURCE
    return "source" if source else "destination"


@lru_cache(maxsize=256)  # a run has few of them, and thousands of cells
def _environment(userland: str, criu: str | None, accelerator: str, cpu: str) -> str:
    return _text(f"userland {userland}, CRIU {criu or 'unknown'}, {accelerator}, {cpu}")


def _issue(one: Result) -> Object:
    """A cause. Its id depends on nothing but cause and blame, so that runs of any night share it."""
    key = f"{one.signature or one.verdict}\0{one.blame}"
    digest = hashlib.sha1(key.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
    issue: Object = {
        "id": f"{ORIGIN}:{digest}",
        "version": NORMALISER,
        "origin": ORIGIN,
        "comment": _text(one.signature or str(one.verdict)),
        "misc": _known({"blame": one.blame, "known": one.known}),
    }
    if one.blame is not None and one.blame != Blame.UNKNOWN:
        culprit = _CULPRITS.get(Blame(one.blame))
        issue["culprit"] = {name: name == culprit for name in ("code", "tool", "harness")}
    return issue


def _incident(test: str, issue: Object) -> Object:
    return {
        "id": f"{test}/incident",
        "origin": ORIGIN,
        "issue_id": issue["id"],
        "issue_version": issue["version"],
        "test_id": test,
        "present": True,
    }


def _known(facts: Object) -> Object:
    """Without what is not known, which the schema allows below `misc` and nobody needs."""
    return {key: value for key, value in facts.items() if value is not None}


def _segment(name: str) -> str:
    return _SEGMENT.sub("_", name) or "_"


def _time(text: str) -> str | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.isoformat() if moment.tzinfo is not None else None


def _text(value: str, limit: int = 1000) -> str:
    return visible(value, limit)
