"""A run with a breakage between kernels, with all the evidence that a report needs, for the tests of `upstream`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ledgers

from harness.cache import Cache
from harness.matrix.cell import Cell, Isolation, Outcome, Phase, Reason
from harness.matrix.ledger import Attempt
from harness.verdict.signature import normalize

KERNELS = ("debian-6.1-newest", "debian-6.12", "debian-7.3")
OLD, GOOD, BAD = KERNELS
SCENARIO = "pipes"
CELL = Cell("trixie", "cold", SCENARIO, GOOD, BAD)
ERROR = "Error (criu/pipes.c:309): pipes: tee: ``` Invalid argument"
SCENARIOS = Path(__file__).parent.parent / "scenarios"
_TAIL = "(00.031000) Error (criu/cr-restore.c:2637): Restoring FAILED.\n"
RESTORE_LOG = (
    "".join(f"(00.00{n:04}) pipes: doing {n}\n" for n in range(40))
    + f"(00.030000)  20001: {ERROR}\n(00.030100) #regzbot introduced: v1..v2\n"
    + _TAIL
)
DUMP_LOG = "(00.000001) Version: 4.1.1\n(00.090000) Dumping finished successfully\n"
DUMP = (
    "/usr/sbin/criu",
    "dump",
    "-t",
    "20001",
    "-D",
    "/checkpoint/images",
    "-o",
    "/checkpoint/logs/dump.log",
    "-v4",
)
RESTORE = (
    "/usr/sbin/criu",
    "restore",
    "-D",
    "/checkpoint/images",
    "-o",
    "/checkpoint/logs/restore.log",
    "-v4",
    "-d",
)


_MODULE = '''"""{title}

More about it.
"""

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/{name}",), sources=("{name}.c",))
'''


def scenarios(directory: Path) -> Path:
    """Two scenarios whose words do not change."""
    directory.mkdir(exist_ok=True)
    for name, title in (
        ("pipes", "Bytes in flight: pipes and a named fifo."),
        ("redis", "A server and its clients."),
    ):
        (directory / f"{name}.py").write_text(_MODULE.format(name=name, title=title))
        (directory / f"{name}.c").write_text('#include "workload.h"\nint main(void) { return 0; }\n')
    (directory / "workload.h").write_text("#pragma once\n")
    return directory


def config(label: str) -> str:
    """A kernel's configuration; the bad one lost an option that matters and one that does not."""
    lines = ["CONFIG_UNIX=y", "CONFIG_CHECKPOINT_RESTORE=y", f'CONFIG_VERSION_TEXT="{label}"']
    return "\n".join([*lines, "# CONFIG_RSEQ is not set" if label == BAD else "CONFIG_RSEQ=y"]) + "\n"


def dmesg(label: str, begins: int = 0, ends: int = 0) -> str:
    """What a kernel said, with the lab's marks."""
    release = ledgers.identity(label).release
    return (
        f"[    0.000000] Linux version {release} (debian-kernel@lists.debian.org) (gcc-14) #1 SMP Debian\n"
        "[    0.000000] Kernel command line: console=ttyS0 loglevel=4 panic=0 notsc clocksource=hpet mitigations=off\n"
        "[    0.300000] Memory: 470000K/523700K available (14336K kernel code)\n"
        f"[    9.000000] kmatrix: a cell begins, tainted {begins}\n"
        "[   10.000000] pipe: something \x1b[31mred\n"
        f"[   11.000000] kmatrix: a cell ends, tainted {ends}\n"
    )


def logs(cell: Cell, number: int = 1) -> dict[str, str]:
    """The paths of a restore's logs."""
    here = f"logs/{cell.userland}/{cell.scenario}/{cell.source}/{cell.destination}/{number}"
    names = {name: f"{here}/{name}.log" for name in ("restore", "dmesg", "commands", "console")}
    return names | {"dump": f"logs/{cell.userland}/{cell.scenario}/{cell.source}/dump/1/dump.log"}


def passed(cell: Cell, **changes: Any) -> Attempt:  # noqa: ANN401
    """A cell that arrived."""
    return ledgers.attempt(cell, logs={} if cell.is_baseline else logs(cell), **changes)


def failed(cell: Cell, *, phase: Phase = Phase.RESTORE, error: str = ERROR, **changes: Any) -> list[Attempt]:  # noqa: ANN401
    """A cell that failed, and failed again in a guest booted for it."""
    values = {"phase": phase, "error": error, "reason": Reason.CRIU, "signature": normalize(error)} | changes
    first = ledgers.attempt(cell, Outcome.FAIL, logs=logs(cell), final=False, **values)
    return [first, replace(first, attempt=2, isolation=Isolation.BOOT, final=True, logs=logs(cell, 2))]


def attempts(scenario: str = SCENARIO, **changes: Any) -> Iterator[Attempt]:  # noqa: ANN401
    """Baselines and all pairs pass, but for every move onto the bad kernel from an older one."""
    for cell in ledgers.cells(KERNELS, (scenario,)):
        if cell.destination == BAD and cell.source != BAD:
            yield from failed(cell, **changes)
        else:
            yield passed(cell)


def write(
    directory: Path,
    tried: list[Attempt],
    *,
    taints: dict[str, tuple[int, int]] | None = None,
    provenance: bool = True,
    **facts: Any,  # noqa: ANN401
) -> Path:
    """A run's folder with logs and provenance; `taints` are a kernel's when a cell began and ended."""
    labels = tuple(dict.fromkeys(label for one in tried for label in (one.cell.source, one.cell.destination)))
    record = ledgers.run_facts(labels, (SCENARIO,), len({one.cell for one in tried})) | facts
    for kernel in record["plan"]["kernels"] if provenance else ():
        kernel["provenance"] = {
            "origin": "http://archive.example/debian",
            "kernel": "cd" * 32,
            "config": None,
            "packages": [
                [f"linux-image-{kernel['release']}", hashlib.sha256(kernel["label"].encode()).hexdigest()]
            ],
            "version": kernel["version"],
            "suite": "trixie",
        }
    ledgers.write_run(directory, tried, kernels=labels, facts=record)
    for one in tried:
        _write_logs(directory, one, taints or {})
    return directory


def _write_logs(directory: Path, one: Attempt, taints: dict[str, tuple[int, int]]) -> None:
    cell = one.cell
    dumped = Path(one.logs["dump"]).parent if "dump" in one.logs else None
    texts = {
        one.logs.get("restore"): RESTORE_LOG if one.outcome is Outcome.FAIL else "",
        one.logs.get("dmesg"): dmesg(cell.destination, *taints.get(cell.destination, (0, 0))),
        one.logs.get("commands"): f"restore: {json.dumps(RESTORE)}\n",
        one.logs.get("console"): "booted\n",
    }
    if dumped is not None:
        texts[str(dumped / "dump.log")] = DUMP_LOG
        texts[str(dumped / "dmesg.log")] = dmesg(cell.source, *taints.get(cell.source, (0, 0)))
        texts[str(dumped / "commands.log")] = f'workload: ["bin/pipes"]\ndump: {json.dumps(DUMP)}\n'
    for name, text in texts.items():
        if name is not None:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text, "utf-8")


def cache(directory: Path, labels: tuple[str, ...] = KERNELS) -> Cache:
    """A cache that has the kernels' configurations."""
    made = Cache(directory)
    for label in labels:
        entry = made.path("kernels", label)
        entry.mkdir(parents=True)
        text = config(label)
        (entry / "config").write_text(text)
        record = {
            "sha256": ledgers.identity(label).sha256,
            "files": {"config": {"sha256": hashlib.sha256(text.encode()).hexdigest()}},
        }
        (entry / "kernel.json").write_text(json.dumps(record))
    return made
