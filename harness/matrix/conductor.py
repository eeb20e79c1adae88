"""Carries a plan out: attempts, second attempts, what follows from a control that failed, and the ledger."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BaselineFailed, CannotRun, CheckpointDamaged, DiagonalFailed, HarnessError
from harness.matrix.cell import Cell, Confirm, Isolation, Outcome, Phase, Reason
from harness.matrix.lab import Lab
from harness.matrix.ledger import Attempt, Ledger
from harness.matrix.life import Story
from harness.matrix.plan import Kind, Task, baseline_task, dump_task, prerequisites, task_of
from harness.matrix.scheduler import Queue, join, run_slots
from harness.matrix.slot import Slot
from harness.matrix.workloads import unmet
from harness.migration.checkpoint import Checkpoint
from harness.verdict.signature import normalize

TRAIT = "trait"
"""The tag of a scenario about one trait that CRIU is known to lose or refuse."""
MOST_ATTEMPTS = 3
"""A cell that failed is tried again; a third time only if the lab itself spoilt the second."""


_BASELINE_ENDED = {Outcome.FAIL: BaselineFailed, Outcome.SKIP: CannotRun}
"""What a baseline that did not pass is to the cells that wait for it; anything else is the lab's trouble."""


@dataclass(frozen=True)
class Result:
    """A cell's last word, and what was raised on the way there."""

    attempt: Attempt
    failure: BaseException | None = None


@dataclass(frozen=True)
class Dumped:
    """What came of a dump: a checkpoint, or the reason why there is none."""

    checkpoint: Checkpoint | None
    stories: tuple[Story, ...] = ()
    skipped: str | None = None

    @property
    def failures(self) -> tuple[Story, ...]:
        """The attempts that did not end in a checkpoint."""
        return tuple(story for story in self.stories if story.checkpoint is None)


class Conductor:
    """One run of a plan. `report` is called with every cell's last word, from a worker's thread."""

    def __init__(
        self,
        lab: Lab,
        cells: Iterable[Cell],
        ledger: Ledger,
        report: Callable[[Result], None],
        done: dict[Cell, Attempt] | None = None,
        attempts: dict[Cell, int] | None = None,
    ) -> None:
        """`done` are the last words of cells that a resumed run knows already, `attempts` how often each was tried."""
        self._lab = lab
        self._ledger = ledger
        self._report = report
        self._done = dict(done or {})
        self._attempts = dict(attempts or {})
        self._dumps: dict[Task, Dumped] = {}
        self._redo = threading.Lock()
        self._aborted = threading.Event()
        todo = [cell for cell in cells if cell not in self._done]
        tasks: dict[Task, None] = {}
        for cell in todo:
            if not cell.is_baseline:
                tasks[dump_task(cell)] = None
            tasks[task_of(cell)] = None
        self._confirmed: set[tuple[str, str, str, str]] = set()
        self.queue = Queue(tasks, done=[task_of(cell) for cell in self._done], before=self._before)

    def start(self, executor: Executor, slots: int, room: int) -> list[Future[None]]:
        """Begin; each of `slots` workers keeps at most `room` booted guests."""

        def work(number: int) -> None:
            slot = Slot(number, self._lab, room)
            try:
                while (task := self.queue.take(number, slot.booted)) is not None:
                    self._do(task, slot)
                    self.queue.end(task)
            finally:
                slot.close()

        return run_slots(executor, range(slots), work, self.queue)

    def abort(self, futures: Iterable[Future[None]]) -> None:
        """Stop now: end all guests, write nothing more, wait for the workers."""
        self._aborted.set()
        self.queue.stop()
        self._lab.hypervisor.end_guests()
        join(futures)

    def _do(self, task: Task, slot: Slot) -> None:
        if task.kind is Kind.DUMP:
            self._dumps[task] = self._dump(task, slot)
        elif reason := self._obstacle(task):
            story = Story(task, 1, self._lab.isolation, self._lab.directory, slot=slot.number)
            story.phase = Phase.BASELINE
            story.outcome, story.error, story.failure = Outcome.SKIP, str(reason), reason
            self._conclude(task.cell, [story])
        elif task.kind is Kind.BASELINE:
            self._conclude(task.cell, self._try(task, slot, None, []))
        else:
            self._restore(task, slot)

    def _before(self, task: Task) -> tuple[Task, ...]:
        """What a task waits for; a trait's move waits for both diagonals, which may settle it."""
        wanted = prerequisites(task)
        return wanted if not self._is_move_of_a_trait(task) else (*wanted, *map(task_of, _diagonals(task)))

    def _is_move_of_a_trait(self, task: Task) -> bool:
        moves = task.kind is Kind.RESTORE and task.source != task.destination
        return moves and TRAIT in self._lab.scenarios[task.scenario].scenario.tags

    def _obstacle(self, task: Task) -> HarnessError | None:
        """Why a task cannot say anything: an unmet need, or a baseline that did not pass."""
        reference = self._lab.scenarios[task.scenario]
        image = self._lab.images[task.userland]
        for label in dict.fromkeys((task.source, task.destination)):
            release = self._lab.kernels[label].release
            lacking = unmet(reference, image, self._lab.options.get(label), release)
            if lacking:
                return CannotRun(f"{task.scenario} needs {'; '.join(lacking)}")
        if task.kind is Kind.BASELINE:
            return None
        for label in dict.fromkeys((task.source, task.destination)):
            cell = baseline_task(task.userland, task.scenario, label).cell
            known = self._done.get(cell)
            if known is not None and known.outcome not in (Outcome.PASS, Outcome.FLAKY):
                said = f"the baseline on {label} did not pass ({known.outcome}: {known.error})"
                return _BASELINE_ENDED.get(known.outcome, HarnessError)(said)
        if self._is_move_of_a_trait(task):
            for cell in _diagonals(task):
                known = self._done.get(cell)
                if known is not None and _settles(known, cell.source == task.source):
                    return DiagonalFailed(
                        f"no move is needed for this: {cell} ({known.outcome}: {known.error})"
                    )
        return None

    def _dump(self, task: Task, slot: Slot) -> Dumped:
        if reason := self._obstacle(task):
            return Dumped(None, skipped=str(reason))
        origin = self._lab.origin(task.userland, task.scenario, task.source)
        if (known := self._lab.store.get(origin)) is not None:
            return Dumped(known)
        stories = self._try(task, slot, None, [])
        return Dumped(stories[-1].checkpoint, tuple(stories))

    def _restore(self, task: Task, slot: Slot) -> None:
        dumped = self._dumps[dump_task(task.cell)]
        if dumped.checkpoint is None:
            self._conclude(task.cell, list(dumped.stories))
            return
        stories = self._try(task, slot, dumped.checkpoint, list(dumped.failures))
        dump_log = dumped.stories[-1].logs.get("dump") if dumped.stories else None
        for story in stories:
            if dump_log is not None and story.task is task:
                story.logs.setdefault("dump", dump_log)
        if isinstance(stories[-1].failure, CheckpointDamaged):
            again = self._dump_again(task, slot, dumped)
            if again.checkpoint is not None:
                stories = self._try(task, slot, again.checkpoint, list(again.failures))
        self._conclude(task.cell, stories)

    def _dump_again(self, task: Task, slot: Slot, damaged: Dumped) -> Dumped:
        """A checkpoint that is not what was dumped is made again, once for all cells that want it."""
        key = dump_task(task.cell)
        with self._redo:
            if self._dumps[key] is damaged:
                self._lab.store.drop(self._lab.origin(task.userland, task.scenario, task.source))
                self._dumps[key] = self._dump(key, slot)
            return self._dumps[key]

    def _try(
        self, task: Task, slot: Slot, checkpoint: Checkpoint | None, earlier: list[Story]
    ) -> list[Story]:
        """Attempts at a task until one is believed; `earlier` ones of its dump count as the cell's own."""
        stories = list(earlier)
        isolation = self._lab.isolation
        for _ in range(MOST_ATTEMPTS):
            number = self._attempts.get(task.cell, 0) + len(stories) + 1
            story = slot.attempt(task, number, isolation, self._logs(task, number), checkpoint)
            stories.append(story)
            tries = len(stories) - len(earlier)
            if self._aborted.is_set() or story.outcome in (Outcome.PASS, Outcome.SKIP):
                break
            if self._lab.confirm is Confirm.NONE:
                break
            if isinstance(story.failure, CheckpointDamaged):
                break
            if tries > 1 and story.outcome is not Outcome.ERROR:
                break
            isolation = self._after(story)
        if len(stories) - len(earlier) > 1:
            self._confirm(*stories[-2:])
        return stories

    def _after(self, failed: Story) -> Isolation:
        """How the next attempt begins: in a fresh boot, unless just this was confirmed in one before."""
        if self._lab.confirm is Confirm.CAUSE and _cause(failed) in self._confirmed:
            return self._lab.isolation
        return Isolation.BOOT

    def _confirm(self, first: Story, second: Story) -> None:
        """Remember that a fresh boot gave the same failure; a set's `add` is atomic."""
        again = second.outcome is Outcome.FAIL and second.isolation is Isolation.BOOT
        if again and _cause(first) == _cause(second):
            self._confirmed.add(_cause(second))

    def _logs(self, task: Task, number: int) -> Path:
        step = "dump" if task.kind is Kind.DUMP else task.destination
        mode = task.cell.mode if task.kind is Kind.BASELINE else task.mode
        parts = (task.userland, mode, task.scenario, task.source, step, str(number))
        return self._lab.directory.joinpath("logs", *parts)

    def _conclude(self, cell: Cell, stories: list[Story]) -> None:
        """Write a cell's attempts down and report its last word."""
        if self._aborted.is_set():
            return
        last = stories[-1]
        failed = next((story for story in stories[:-1] if story.outcome is Outcome.FAIL), None)
        first_number = self._attempts.get(cell, 0) + 1
        for number, story in enumerate(stories, first_number):
            final = story is last
            told = story
            outcome = story.outcome
            if final and outcome is Outcome.PASS and failed is not None:
                outcome, told = Outcome.FLAKY, failed
            attempt = self._attempt(cell, story, number, final, outcome, told)
            self._ledger.append(attempt)
        self._done[cell] = attempt
        self._report(
            Result(attempt, (failed or last).failure if attempt.outcome is not Outcome.PASS else None)
        )

    def _attempt(
        self, cell: Cell, story: Story, number: int, final: bool, outcome: Outcome, told: Story
    ) -> Attempt:
        """The ledger's line; `told` is the attempt whose phase and error it tells."""
        lab = self._lab
        return Attempt(
            cell=cell,
            attempt=number,
            isolation=story.isolation,
            outcome=outcome,
            phase=told.phase,
            kernels={"source": lab.identity(cell.source), "destination": lab.identity(cell.destination)},
            final=final,
            error=told.error,
            reason=told.reason,
            signature=normalize(told.error) if told.error else None,
            seconds=dict(story.seconds),
            image_bytes=story.image_bytes,
            dump_seconds=story.dump_seconds,
            criu=lab.images[cell.userland].criu_version,
            accelerator=lab.hardware.accelerator,
            cpu=lab.hardware.cpu,
            slot=story.slot,
            started=story.started,
            logs={name: str(path.relative_to(lab.directory)) for name, path in story.logs.items()},
        )


def _cause(story: Story) -> tuple[str, str, str, str]:
    """What makes two failures one: userland, kernel, phase and signature."""
    task = story.task
    return (task.userland, task.destination, str(story.phase), normalize(story.error or ""))


def _settles(diagonal: Attempt, is_source: bool) -> bool:
    """Whether a diagonal's end is that of a trait's move as well.

    A destination that cannot save the state has not been asked whether it can bring it back: every dump on 5.10 fails,
    and what 6.1 has saved comes back there.
    """
    if diagonal.outcome not in (Outcome.FAIL, Outcome.SKIP):
        return False
    was_restored = diagonal.phase in (Phase.RESTORE, Phase.CHECK) and diagonal.reason is not Reason.REFUSAL
    return is_source or was_restored


def _diagonals(task: Task) -> tuple[Cell, Cell]:
    source, destination = (
        Cell(task.userland, task.mode, task.scenario, label, label)
        for label in (task.source, task.destination)
    )
    return source, destination
