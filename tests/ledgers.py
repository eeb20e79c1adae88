"""Synthetic runs for the tests of reports: of any size, repeatable, with the worst a guest could print."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.matrix.cell import Cell, Isolation, Outcome, Phase, Reason
from harness.matrix.ledger import FILE, Attempt, KernelIdentity

KERNELS = (
    ("debian-5.10", "5.10.0-35-cloud-amd64", "5.10.237-1"),
    ("debian-6.1-oldest", "6.1.0-10-cloud-amd64", "6.1.170-1"),
    ("debian-6.1-newest", "6.1.0-50-cloud-amd64", "6.1.192-1"),
    ("debian-6.12", "6.12.48-cloud-amd64", "6.12.117-1"),
    ("debian-7.3", "7.3.1-cloud-amd64", "7.3.1-1~bpo13+1"),
)
SCENARIOS = ("cpu", "threads", "pipes", "tcp", "python", "redis")
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></script><!-- ]]>",
    "\x00NUL",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07\x9b2J",
    "\u202eevitcelloc\u2066\u200bhidden\u2028line",
    "\udc80\udcff not UTF-8 \ud800",
    "=cmd|' /C calc'!A0",
    "{{ 7*7 }}{% raw %}",
    "x" * 1_000_000,
)
ERRORS = (
    (Phase.RESTORE, "Error (criu/sockets.c:628): sockets: Can't set 1:72 (len 4): Protocol not available"),
    (Phase.RESTORE, "Error (criu/cr-restore.c:1480): 2817 killed by signal 11: Segmentation fault"),
    (Phase.DUMP, "Error (criu/cr-dump.c:203): 1236 has rseq but kernel lacks get_rseq_conf feature"),
    (Phase.CHECK, "AssertionError: process 4242 did not report within 20 s"),
)


_REASONS = {Outcome.SKIP: Reason.NEED, Outcome.ERROR: Reason.LAB}


def identity(label: str) -> KernelIdentity:
    """What a label stands for in these runs."""
    known = {name: (release, version) for name, release, version in KERNELS}
    release, version = known.get(label, (label, None))
    return KernelIdentity(release, version, f"{sum(map(ord, label)):064x}")


def attempt(cell: Cell, outcome: Outcome = Outcome.PASS, **changes: Any) -> Attempt:  # noqa: ANN401
    """One attempt, final unless told otherwise."""
    made = Attempt(
        cell=cell,
        attempt=1,
        isolation=Isolation.RESET,
        outcome=outcome,
        phase=Phase.BASELINE if cell.is_baseline else Phase.CHECK,
        kernels={"source": identity(cell.source), "destination": identity(cell.destination)},
        final=True,
        seconds={"boot": 0.15, "restore": 0.5, "check": 0.2, "guest": 0.6},
        image_bytes=None if cell.is_baseline else 2_345_678,
        criu="4.1.1",
        cpu="Haswell-noTSX",
        started="2026-11-20T20:00:00Z",
        logs={
            "restore": f"logs/{cell.scenario}/restore #1.log",
            "console": f"logs/{cell.scenario}/console.log",
        },
    )
    made = replace(made, **changes)
    if made.outcome is not Outcome.PASS and made.reason is None and "reason" not in changes:
        made = replace(made, reason=_REASONS.get(made.outcome, Reason.CRIU))
    return made


def cells(kernels: tuple[str, ...], scenarios: tuple[str, ...], userland: str = "trixie") -> Iterator[Cell]:
    """Baselines and every ordered pair."""
    for scenario in scenarios:
        for source in kernels:
            yield Cell.baseline(userland, scenario, source)
            for destination in kernels:
                yield Cell(userland, "cold", scenario, source, destination)


def attempts(kernels: tuple[str, ...], scenarios: tuple[str, ...], seed: int = 1) -> Iterator[Attempt]:
    """A run of which about 15 % fails, some of it after a second try."""
    chance = random.Random(seed)
    for cell in cells(kernels, scenarios):
        if cell.is_baseline or chance.random() > 0.18:
            yield attempt(cell)
            continue
        phase, error = chance.choice(ERRORS)
        outcome = chance.choices((Outcome.FAIL, Outcome.ERROR, Outcome.SKIP), (8, 1, 1))[0]
        first = attempt(cell, outcome, phase=phase, error=error, final=False)
        yield first
        yield replace(first, attempt=2, final=True, isolation=Isolation.BOOT)


def run_facts(kernels: tuple[str, ...], scenarios: tuple[str, ...], planned: int) -> dict[str, Any]:
    """A `run.json` of a finished run."""
    return {
        "schema": 1,
        "id": "20261120T200000Z-test",
        "started": "2026-11-20T20:00:00Z",
        "finished": "2026-11-20T20:03:41Z",
        "argv": ["kmatrix", "run", "--profile", "quick"],
        "host": {"node": "lab", "cores": 2, "memory": 25769803776},
        "versions": {"kmatrix": "0.1.0", "qemu": "7.2.19", "libvirt": "9.0.0", "python": "3.11.7"},
        "accelerator": "tcg",
        "cpu": "Haswell-noTSX",
        "plan": {
            "userlands": ["trixie"],
            "kernels": [{"label": label, **vars(identity(label))} for label in kernels],
            "scenarios": list(scenarios),
            "modes": ["cold"],
            "isolation": "reset",
            "confirm": "cell",
            "slots": 2,
            "cells": planned,
        },
        "userlands": {"trixie": {"criu": "4.1.1", "sha256": "ab" * 32}},
    }


def write_run(
    directory: Path,
    tried: list[Attempt],
    *,
    kernels: tuple[str, ...] = tuple(label for label, _, _ in KERNELS),
    scenarios: tuple[str, ...] = SCENARIOS,
    facts: dict[str, Any] | None = None,
) -> Path:
    """A run's folder; `facts` replaces `run.json`, an empty one leaves it out."""
    directory.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(one.as_json(), ensure_ascii=False) + "\n" for one in tried)
    (directory / FILE).write_bytes("".join(lines).encode("utf-8", "backslashreplace"))
    chosen = run_facts(kernels, scenarios, len({one.cell for one in tried})) if facts is None else facts
    if chosen:
        (directory / "run.json").write_text(json.dumps(chosen), "utf-8")
    return directory
