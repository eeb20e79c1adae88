"""Synthetic runs for the tests of reports: of any size, repeatable, with the worst a guest could print.

`nights()` makes two runs of one matrix, the second with changes that are known.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
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
        dump_seconds=None if cell.is_baseline else 0.31,
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
            "tags": {
                name: ["network"] if name.startswith(("tcp", "redis")) else ["object"] for name in scenarios
            },
            "workloads": {name: f"{sum(map(ord, name)):032x}" for name in scenarios},
            "modes": ["cold"],
            "isolation": "reset",
            "confirm": "cell",
            "slots": 2,
            "cells": planned,
            "guest": {"memory": 512 << 20, "vcpus": 1, "kernel_arguments": "mitigations=off"},
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


@dataclass(frozen=True)
class Night:
    """A run that is not yet written."""

    attempts: list[Attempt]
    facts: dict[str, Any]

    def write(self, directory: Path, *, logs: bool = False) -> Path:
        """Its folder; with `logs` also what the last attempt at each failed cell left behind."""
        write_run(directory, self.attempts, facts=self.facts)
        for tried in self.attempts if logs else ():
            if tried.final and tried.outcome is Outcome.FAIL:
                _write_logs(directory, tried)
        return directory


@dataclass(frozen=True)
class Nights:
    """Two runs of one matrix."""

    before: Night
    after: Night
    changes: dict[Cell, str]
    """What differs on purpose: a value of `ChangeKind`, or `lost`, by cell. A cell that fails in both for the same
    reason is not in it; one that fails for another reason is `still failing`."""


_SERIES = ("5.10", "5.15", *(f"6.{n}" for n in range(1, 20)), *(f"7.{n}" for n in range(40)))
_TIMERFD = "Error (criu/timerfd.c:88): timerfd {pid}: Can't set clock: Operation not permitted"
_OTHER_DUMP = "Error (criu/parasite-syscall.c:411): Can't seize task {pid}: Device or resource busy"
_LAB = "the guest's agent did not answer within 30 s"
_ENDED = (Phase.BOOT, Phase.START, Phase.BASELINE, Phase.DUMP, Phase.TRANSFER, Phase.RESTORE, Phase.CHECK)


@dataclass(frozen=True)
class _Fate:
    """How a cell ends."""

    outcome: Outcome = Outcome.PASS
    phase: Phase = Phase.CHECK
    error: str | None = None
    reason: Reason | None = None


_PASSES = _Fate()


def nights(
    kernels: int = 20, scenarios: int = 30, *, seed: int = 1, hostile: bool = False, userland: str = "trixie"
) -> Nights:
    """Two nights of `kernels` x `kernels` x `scenarios` cells and their baselines, about 15 % of the first failing.

    All verdicts occur; the second night has a newer build of the newest kernel, a scenario less and another one more.
    With `hostile`, names, errors and facts hold what a guest could print at its worst. At least 6 kernels and 12
    scenarios make every kind of change.
    """
    chance = random.Random(seed)
    dirt = [text.replace("/", "|")[:60] for text in HOSTILE] if hostile else [""]
    labels = [f"debian-{version}{dirt[n % len(dirt)]}" for n, version in enumerate(_SERIES[:kernels])]
    names = [f"{SCENARIOS[n % 6]}{n // 6 or ''}{dirt[n % len(dirt)]}" for n in range(scenarios)]
    userland += dirt[0]
    first = {
        cell: _fate(cell, labels, names, chance) for cell in cells(tuple(labels), tuple(names), userland)
    }
    second, changes = _next_night(first, labels, names)
    made = []
    for fates, night in ((first, 0), (second, 1)):
        # the same noise for both, so that times of the two nights are alike but not the same
        noise = random.Random(seed + night)
        tried = [
            one
            for cell, fate in fates.items()
            for one in _attempts(cell, fate, labels, night, noise, HOSTILE[:-1] if hostile else ("",))
        ]
        if hostile:
            place = next(n for n, one in enumerate(tried) if one.final and one.outcome is Outcome.FAIL)
            tried[place] = replace(tried[place], error=f"{tried[place].error}{HOSTILE[-1]}")
        made.append(Night(tried, _night_facts(night, labels, fates, userland, hostile=hostile)))
    return Nights(made[0], made[1], changes)


def _fate(cell: Cell, labels: list[str], names: list[str], chance: random.Random) -> _Fate:
    """By rules with the shape of real breakages: no dump on one kernel, no way back, an interface that changed."""
    n, s = len(labels), names.index(cell.scenario)
    i, j = labels.index(cell.source), labels.index(cell.destination)
    luck = chance.random()
    if s == 11 and 0 in (i, j):
        return _Fate(Outcome.SKIP, Phase.BASELINE, "package nodejs in trixie", Reason.NEED)
    if s == 2 and 1 in (i, j):
        if cell.is_baseline:
            return _Fate(Outcome.FAIL, Phase.BASELINE, "AssertionError: process {pid} is gone", Reason.CHECK)
        return _Fate(Outcome.SKIP, Phase.START, f"the workload does not run on {labels[1]}", Reason.BASELINE)
    if cell.is_baseline:
        return _PASSES
    if s == 6 and i == j == n - 1:
        return _Fate(Outcome.ERROR, Phase.RESTORE, _LAB, Reason.LAB)
    if s % 10 == 3 and i < max(1, n // 10):
        return _Fate(Outcome.FAIL, Phase.DUMP, ERRORS[2][1].replace("1236", "{pid}"), Reason.CRIU)
    if s % 3 == 0 and j < i and j < n * 7 // 20:
        return _Fate(Outcome.FAIL, Phase.RESTORE, ERRORS[0][1], Reason.CRIU)
    if s % 5 == 1 and i < n * 7 // 10 <= j:
        words = "Error (criu/pie/restorer.c:513): {pid}: failed sys_rseq(0x7f{pid}3680, 0x21, 0x0, 0x53053053) = -22"
        return _Fate(Outcome.FAIL, Phase.RESTORE, words, Reason.CRIU)
    if s % 10 == 7 and j == n - 1:
        words = "Error (criu/mount-v2.c:880): mnt-v2: Failed to make mount {pid} slave: Invalid argument"
        return _Fate(Outcome.FAIL, Phase.RESTORE, words, Reason.CRIU)
    if s == 4 and i != j == n // 2:
        return _Fate(Outcome.FAIL, Phase.CHECK, "AssertionError: counter was 17 and is {pid}", Reason.CHECK)
    if s == 5 and j == n - 2 and i % 2 and i != j:
        words = "WARNING: CPU: 0 PID: {pid} at fs/proc/task_mmu.c:1700 pagemap_scan_pmd_entry+0x5e/0x140"
        return _Fate(Outcome.FAIL, Phase.RESTORE, words, Reason.KERNEL)
    if i != j and luck < 0.004:
        return _Fate(Outcome.FLAKY, Phase.RESTORE, ERRORS[1][1].replace("2817", "{pid}"), Reason.CRIU)
    if i != j and luck < 0.008:
        return _Fate(Outcome.ERROR, Phase.RESTORE, _LAB, Reason.LAB)
    return _PASSES


def _next_night(
    first: dict[Cell, _Fate], labels: list[str], names: list[str]
) -> tuple[dict[Cell, _Fate], dict[Cell, str]]:
    newest, second, changes = labels[-1], dict(first), {}
    into_newest = [c for c in first if c.destination == newest and c.source != newest]
    for cell in [c for c in into_newest if c.scenario == names[8] and first[c] is _PASSES]:
        second[cell] = _Fate(Outcome.FAIL, Phase.RESTORE, _TIMERFD, Reason.CRIU)
        changes[cell] = "regression"
    for cell in [c for c in into_newest if c.scenario == names[1] and first[c].outcome is Outcome.FAIL]:
        second[cell], changes[cell] = _PASSES, "fixed"
    for cell in [c for c in first if c.scenario == names[3] and c.source == labels[0] and not c.is_baseline]:
        second[cell] = _Fate(Outcome.FAIL, Phase.DUMP, _OTHER_DUMP, Reason.CRIU)
        changes[cell] = "still failing"
    for cell in [c for c in first if c.scenario == names[10] and c.destination == labels[2] != c.source]:
        if first[cell] is _PASSES:
            second[cell] = _Fate(Outcome.ERROR, Phase.RESTORE, _LAB, Reason.LAB)
            changes[cell] = "lost"
    for number, cell in enumerate(c for c, fate in first.items() if fate.error == _LAB and not c.is_diagonal):
        if cell not in changes:
            fails = _Fate(Outcome.FAIL, Phase.RESTORE, _TIMERFD, Reason.CRIU)
            second[cell], changes[cell] = (fails, "new failure") if number % 4 == 0 else (_PASSES, "new pass")
    for cell in [c for c in first if c.scenario == names[-1]]:
        del second[cell]
        changes[cell] = "disappeared"
    for cell in [c for c in first if c.scenario == names[0]]:
        new = replace(cell, scenario="appeared")
        fails = cell.source == labels[1] and cell.destination == newest
        second[new] = _Fate(Outcome.FAIL, Phase.RESTORE, _TIMERFD, Reason.CRIU) if fails else _PASSES
        changes[new] = "new failure" if fails else "appeared"
    return second, changes


def _attempts(
    cell: Cell, fate: _Fate, labels: list[str], night: int, noise: random.Random, dirt: tuple[str, ...]
) -> Iterator[Attempt]:
    tries = 1 if fate.outcome in (Outcome.PASS, Outcome.SKIP) else 2
    for number in range(1, tries + 1):
        pid = noise.randrange(1000, 30000)
        error = fate.error and fate.error.replace("{pid}", str(pid)) + noise.choice(dirt)
        phase = Phase.BASELINE if cell.is_baseline else fate.phase
        seconds = _seconds(cell, phase, noise)
        heavy = 0.2 + 80 * (sum(map(ord, cell.scenario)) % 97 / 97) ** 4
        made = phase in (Phase.TRANSFER, Phase.RESTORE, Phase.CHECK) and fate.outcome is not Outcome.SKIP
        folder = f"logs/{cell.userland}/{cell.mode}/{cell.scenario}/{cell.source}/{cell.destination}/{number}"
        yield attempt(
            cell,
            fate.outcome if number == tries or fate.outcome is not Outcome.FLAKY else Outcome.FAIL,
            attempt=number,
            final=number == tries,
            isolation=Isolation.BOOT if number > 1 else Isolation.RESET,
            phase=phase,
            error=error,
            reason=fate.reason,
            seconds=seconds,
            image_bytes=int(heavy * 1_000_000 * noise.lognormvariate(0, 0.05)) if made else None,
            kernels={side: _kernel(getattr(cell, side), labels, night) for side in ("source", "destination")},
            criu=f"4.1.1{dirt[0]}",
            cpu=f"Haswell-noTSX{dirt[1 % len(dirt)]}",
            slot=noise.randrange(2),
            started=f"2026-11-{20 + night}T20:{noise.randrange(60):02}:{noise.randrange(60):02}Z",
            logs={name: f"{folder}/{name}.log" for name in ("dump", "restore", "console")},
        )


def _seconds(cell: Cell, phase: Phase, noise: random.Random) -> dict[str, float]:
    """Wall seconds up to the phase in which it ended, slower for some scenarios."""
    slow = 1 + sum(map(ord, cell.scenario)) % 7 / 3
    typical = (0.15, 0.2 * slow, 0.1, 0.4 * slow, 0.05, 0.6 * slow, 0.25)
    spent = {
        str(name): round(usual * noise.lognormvariate(0, 0.25), 3)
        for name, usual in zip(_ENDED, typical, strict=True)
        if _ENDED.index(name) <= _ENDED.index(phase)
    }
    inside = sum(value for name, value in spent.items() if name != "boot")
    return spent | {"evidence": 0.04, "guest": round(inside * 0.6, 3)}


def _kernel(label: str, labels: list[str], night: int) -> KernelIdentity:
    place = labels.index(label)
    # the newest kernel was built anew for the second night
    build = 8 if night and place == len(labels) - 1 else 7
    series = _SERIES[place]
    return KernelIdentity(
        f"{series}.{build}-cloud-amd64", f"{series}.{build}-1", f"{place:04x}{build:04x}".ljust(64, "0")
    )


def _night_facts(
    night: int, labels: list[str], fates: dict[Cell, _Fate], userland: str, *, hostile: bool
) -> dict[str, Any]:
    names = tuple(dict.fromkeys(cell.scenario for cell in fates))
    facts = run_facts(tuple(labels), names, len(fates))
    dirt = HOSTILE[night] if hostile else ""
    facts |= {
        "id": f"2026112{night}-200000-beef{dirt}",
        "started": f"2026-11-{20 + night}T20:00:00+00:00",
        "finished": f"2026-11-{21 + night}T04:12:09+00:00",
        "argv": ["kmatrix", "run", "--profile", f"nightly{dirt}"],
        "cpu": f"Haswell-noTSX{dirt}",
        "userlands": {userland: {"criu": f"4.1.1{dirt}", "sha256": "ab" * 32}},
        "host": {"release": f"6.1.0-44-amd64{dirt}", "machine": "x86_64", "cores": 2, "memory": 25769803776},
    }
    facts["plan"] |= {
        "userlands": [userland],
        "kernels": [{"label": label, **vars(_kernel(label, labels, night))} for label in labels],
    }
    # a lone surrogate is written as JSON's own escape, and read back as itself
    loaded: dict[str, Any] = json.loads(json.dumps(facts))
    return loaded


def _write_logs(directory: Path, tried: Attempt) -> None:
    """CRIU's log of the failed phase; where the error is hostile, one of its lines has ten million characters."""
    name = "dump" if tried.phase is Phase.DUMP else "restore"
    path = directory / tried.logs[name]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError):  # a name that no file system takes
        return
    lines = [f"(00.{n:06d})     37: doing {n}" for n in range(40)]
    lines[30] = f"(00.000030)     37: {tried.error}"
    if tried.error and len(tried.error) > 100_000:
        lines[10] = "y" * 10_000_000
    path.write_bytes("\n".join([*lines, ""]).encode("utf-8", "backslashreplace"))
