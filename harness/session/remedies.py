"""`--try-remedies`: what is known to help is tried on the cells that it should help; a ledger says whether it did.

A remedy changes how a workload is started or what CRIU is told, so a cell with it is another question than the cell
itself: its answers stand in a ledger of their own, `remedies/results.jsonl`, under the scenario's name and the
breakage's (`cpu+rseq-no-conf`). They never change a verdict.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from testinfra.host import Host

from harness.cache import Cache, key_of
from harness.images import Image
from harness.matrix.cell import Cell, Outcome
from harness.matrix.conductor import Conductor, Result
from harness.matrix.ledger import Ledger
from harness.matrix.plan import baseline_task
from harness.matrix.workloads import Subject
from harness.report.rundir import load as load_run
from harness.report.verdicts import REMEDIES, judge, with_remedy
from harness.scenario import Facts, Scenario, Workload
from harness.session.session import Run, Say, forget_checkpoints
from harness.verdict.known import Breakage, KnownBreakages, load
from harness.verdict.verdict import Judgement

ENV = "/usr/bin/env"


@dataclass(frozen=True)
class Remedied:
    """A workload with what is known to help against a breakage."""

    subject: Subject
    breakage: Breakage

    @property
    def name(self) -> str:
        """The workload's name and the breakage's."""
        return with_remedy(self.subject.name, self.breakage.id)

    @property
    def scenario(self) -> Scenario:
        """The workload's static part, its environment and CRIU's options changed."""
        scenario, remedy = self.subject.scenario, self.breakage.remedy
        assert remedy is not None, "a breakage without a remedy"
        words = tuple(f"{name}={value}" for name, value in remedy.env.items())
        command = (ENV, *words, *scenario.command) if words else scenario.command
        return dataclasses.replace(scenario, command=command, criu=(*scenario.criu, *remedy.criu))

    @property
    def sha256(self) -> str:
        """Changes with the workload and the remedy."""
        scenario = self.scenario
        return key_of(workload=self.subject.sha256, command=scenario.command, criu=scenario.criu)

    def ready(self, host: Host, workload: Workload) -> None:
        """As the workload itself."""
        self.subject.ready(host, workload)

    def remember(self, host: Host, workload: Workload) -> Facts:
        """As the workload itself."""
        return self.subject.remember(host, workload)

    def check(self, host: Host, workload: Workload, before: Facts) -> None:
        """As the workload itself."""
        self.subject.check(host, workload, before)

    def refused(self, host: Host, workload: Workload, before: Facts) -> None:
        """As the workload itself."""
        self.subject.refused(host, workload, before)

    def payload(self, image: Image, cache: Cache) -> Path:
        """As the workload itself."""
        return self.subject.payload(image, cache)


def candidates(
    judgements: Iterable[Judgement], subjects: Mapping[str, Subject], known: KnownBreakages
) -> dict[Cell, Remedied]:
    """The cells with a remedy that can be tried, under their new names. A container's processes take no environment."""
    found: dict[Cell, Remedied] = {}
    for judgement in judgements:
        entry = known.entries.get(judgement.known or "")
        subject = subjects.get(judgement.cell.scenario)
        if entry is None or subject is None or entry.remedy is None or not entry.remedy.can_be_tried:
            continue
        if subject.scenario.engine == "criu":
            remedied = Remedied(subject, entry)
            found[dataclasses.replace(judgement.cell, scenario=remedied.name)] = remedied
    return found


def try_remedies(run: Run, say: Say) -> list[Result]:
    """Carry the cells out; the run itself has ended. Raises what a worker raised."""
    known = load()
    judgements = judge(load_run(run.directory), known)
    cells = candidates(judgements.values(), run.lab.scenarios, known)
    if not cells:
        say("no cell has a known remedy that the lab can try")
        return []
    lab = dataclasses.replace(run.lab, scenarios={r.name: r for r in cells.values()})
    baselines = {
        baseline_task(cell.userland, cell.scenario, label).cell
        for cell in cells
        for label in (cell.source, cell.destination)
    }
    directory = run.directory / REMEDIES
    directory.mkdir(exist_ok=True)
    results: list[Result] = []
    conductor = Conductor(lab, [*baselines, *cells], Ledger(directory), results.append)
    say(f"trying remedies on {len(cells)} cells")
    with ThreadPoolExecutor(run.capacity.slots, thread_name_prefix="slot") as executor:
        futures = conductor.start(executor, run.capacity.slots, run.capacity.room)
        try:
            for future in futures:
                future.result()
        finally:
            conductor.abort(futures)
    forget_checkpoints(lab)
    helped = [r for r in results if r.attempt.cell in cells and r.attempt.outcome is Outcome.PASS]
    say(f"remedies helped {len(helped)} of {len(cells)} cells")
    return results
