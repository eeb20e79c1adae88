"""Who does what next: tasks become ready when what they wait for has ended, and go to the slot whose guest is booted.

Written against `concurrent.futures.Executor`: one long-running call a slot. libvirt and sockets release the GIL, so
threads do locally.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, wait

from harness.matrix.plan import Kind, Task, prerequisites

Key = tuple[str, str]

BOOT_WORTH = 6
"""Tasks that must wait at one kernel before a second guest is booted for it: a boot takes about as long as these."""

_ORDER = {Kind.BASELINE: 0, Kind.DUMP: 1, Kind.RESTORE: 2}


class Queue:
    """The tasks of a run and what is known of them. Thread-safe."""

    def __init__(
        self,
        tasks: Iterable[Task],
        done: Iterable[Task] = (),
        before: Callable[[Task], Iterable[Task]] = prerequisites,
    ) -> None:
        """`done` are tasks whose outcome is known already (a resumed run); `before` says what a task waits for."""
        ended = set(done)
        self._waiting = {task: None for task in tasks if task not in ended}
        known = ended | set(self._waiting)
        self._needs = {t: {p for p in before(t) if p in known} for t in self._waiting}
        self._ended = ended
        self._running: dict[Task, int] = {}
        self._held: dict[int, frozenset[Key]] = {}
        self._changed = threading.Condition()
        self._stopped = False

    def __len__(self) -> int:
        """How many tasks have not ended."""
        with self._changed:
            return len(self._waiting) + len(self._running)

    def stop(self) -> None:
        """Hand out nothing more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def take(self, slot: int, booted: frozenset[Key]) -> Task | None:
        """The next task for a slot that keeps `booted` guests; None when there will be none."""
        with self._changed:
            self._held[slot] = booted
            while True:
                if self._stopped or not self._waiting:
                    return None
                if task := self._choose(slot, booted):
                    del self._waiting[task]
                    self._running[task] = slot
                    self._held[slot] = booted | {task.guest}
                    return task
                if not self._running:
                    raise RuntimeError(f"{len(self._waiting)} tasks wait for what will never end")
                self._changed.wait()

    def end(self, task: Task) -> None:
        """A task has ended, whatever its outcome."""
        with self._changed:
            del self._running[task]
            self._ended.add(task)
            self._changed.notify_all()

    def _choose(self, slot: int, booted: frozenset[Key]) -> Task | None:
        ready = [t for t in self._waiting if self._needs[t] <= self._ended]
        here = [t for t in ready if t.guest in booted]
        if here:
            return min(here, key=lambda t: _ORDER[t.kind])
        held = {key for other, keys in self._held.items() if other != slot for key in keys}
        free = [t for t in ready if t.guest not in held]
        if free:
            return min(free, key=lambda t: _ORDER[t.kind])
        backlog = Counter(t.guest for t in self._waiting)
        crowded = [t for t in ready if backlog[t.guest] >= BOOT_WORTH or t.guest not in self._busy()]
        return max(crowded, key=lambda t: backlog[t.guest], default=None)

    def _busy(self) -> set[Key]:
        """Guests at which a slot works right now, or will go on to work."""
        slots = set(self._running.values())
        return {key for slot in slots for key in self._held.get(slot, frozenset())}


def run_slots(
    executor: Executor, numbers: Iterable[int], work: Callable[[int], None], queue: Queue
) -> list[Future[None]]:
    """Start one long call of `work` a slot; a slot that raises stops the others."""

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException:
            queue.stop()
            raise

    return [executor.submit(guarded, number) for number in numbers]


def join(futures: Iterable[Future[None]]) -> None:
    """Wait for all slots and raise what the first of them raised."""
    futures = list(futures)
    wait(futures)
    for future in futures:
        future.result()
