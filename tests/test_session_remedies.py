"""Cells that are tried with what should help: which, how they are started, and what a report makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import ledgers

from harness.matrix.cell import Cell, Outcome, Phase
from harness.matrix.ledger import FILE, Attempt, Ledger
from harness.matrix.workloads import Reference
from harness.report.rundir import load as load_run
from harness.report.show import show
from harness.report.verdicts import REMEDIES, judge
from harness.report.write import write_reports
from harness.scenario import Scenario
from harness.session.remedies import candidates
from harness.verdict.known import load

OLD, NEW = "debian-5.10", "debian-6.12"
RSEQ = "Error (criu/cr-dump.c:203): 20001 has rseq but kernel lacks get_rseq_conf feature"
SOCKET = "Error (criu/sockets.c:628): sockets: Can't set 1:72 (len 4): Protocol not available"
CELL = Cell("trixie", "cold", "cpu", OLD, NEW)


def subject(name: str, engine: str = "criu") -> Reference:
    module = ModuleType(name)
    scenario = Scenario(command=("bin/cpu", "-x"), criu=("--file-locks",), engine=engine)
    module.SCENARIO = scenario  # type: ignore[attr-defined]
    return Reference(name, Path(__file__), module)


def red(cell: Cell, phase: Phase, error: str) -> Attempt:
    return ledgers.attempt(cell, Outcome.FAIL, phase=phase, error=error)


def a_run(tmp_path: Path) -> Path:
    # the row of the table: rseq cannot be asked for on 5.10; and one that no remedy is known for
    attempts = [
        red(CELL, Phase.DUMP, RSEQ),
        red(Cell("trixie", "cold", "tcp", NEW, OLD), Phase.RESTORE, SOCKET),
    ]
    attempts += [red(replace(CELL, scenario="runc"), Phase.DUMP, RSEQ)]
    return ledgers.write_run(tmp_path / "run", attempts)


def test_only_what_has_a_remedy_that_the_lab_can_give_is_tried(tmp_path: Path) -> None:
    known = load()
    subjects = {"cpu": subject("cpu"), "tcp": subject("tcp"), "runc": subject("runc", engine="runc")}
    judged = judge(load_run(a_run(tmp_path)), known)
    assert {str(cell): one.known for cell, one in judged.items()} == {
        f"trixie/cold/cpu/{OLD}→{NEW}": "rseq-no-conf",
        f"trixie/cold/tcp/{NEW}→{OLD}": "so-buf-lock",
        f"trixie/cold/runc/{OLD}→{NEW}": "rseq-no-conf",
    }
    (cell,) = found = candidates(judged.values(), subjects, known)
    assert cell == replace(CELL, scenario="cpu+rseq-no-conf")
    scenario = found[cell].scenario
    assert scenario.command == ("/usr/bin/env", "GLIBC_TUNABLES=glibc.pthread.rseq=0", "bin/cpu", "-x")
    assert scenario.criu == ("--file-locks",)
    assert found[cell].sha256 != subjects["cpu"].sha256


def test_reports_say_whether_it_helped_and_change_no_verdict(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    before = judge(load_run(run))[CELL]
    (run / REMEDIES).mkdir()
    tried = replace(CELL, scenario="cpu+rseq-no-conf")
    Ledger(run / REMEDIES).append(ledgers.attempt(tried))
    after = judge(load_run(run))[CELL]
    assert (before.remedied, after.remedied) == (None, "helped")
    assert replace(after, remedied=None) == before
    assert "tried on 1 of the cells: helped" in write_reports(run).text()
    assert "helped" in show(run, str(CELL))
    (run / REMEDIES / FILE).unlink()
    Ledger(run / REMEDIES).append(red(tried, Phase.RESTORE, SOCKET))
    said = judge(load_run(run))[CELL].remedied
    assert said == f"did not help: fail in restore: {SOCKET}"
