"""Who does what next: threads with made-up work."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.matrix.cell import Cell
from harness.matrix.plan import Kind, Task, dump_task, prerequisites, product, task_of
from harness.matrix.scheduler import BOOT_WORTH, Key, Queue, join, run_slots


def matrix(kernels: int, scenarios: int, userlands: int = 1) -> list[Task]:
    cells = product(
        [f"u{n}" for n in range(userlands)],
        ["cold"],
        [f"s{n}" for n in range(scenarios)],
        [f"k{n}" for n in range(kernels)],
    )
    dumps = dict.fromkeys(dump_task(cell) for cell in cells if not cell.is_baseline)
    return [*dumps, *(task_of(cell) for cell in cells)]


class Crew:
    """Slots that keep the guests that they have booted, and remember what was done."""

    def __init__(
        self, queue: Queue, work: Callable[[Task], None] = lambda _task: None, room: int = 99
    ) -> None:
        self.queue = queue
        self.done: list[Task] = []
        self.boots: Counter[Key] = Counter()
        self._work = work
        self._room = room
        self._lock = threading.Lock()

    def slot(self, number: int) -> None:
        booted: list[Key] = []
        while task := self.queue.take(number, frozenset(booted)):
            if task.guest in booted:
                booted.remove(task.guest)
            else:
                self.boots[task.guest] += 1
            booted = [*booted, task.guest][-self._room :]
            with self._lock:
                early = [p for p in prerequisites(task) if p not in self.done]
            assert not early, f"{task} before {early}"
            self._work(task)
            with self._lock:
                self.done.append(task)
            self.queue.end(task)

    def run(self, slots: int) -> None:
        with ThreadPoolExecutor(slots) as executor:
            join(run_slots(executor, range(slots), self.slot, self.queue))


@pytest.mark.parametrize("slots", [1, 2, 3, 8, 20])
@pytest.mark.parametrize("room", [1, 2, 99])
def test_every_task_once_and_none_before_its_time(slots: int, room: int) -> None:
    tasks = matrix(kernels=4, scenarios=3, userlands=2)
    random.Random(slots).shuffle(tasks)
    crew = Crew(Queue(tasks), lambda _task: time.sleep(0.0005), room)
    crew.run(slots)
    assert Counter(crew.done) == Counter(tasks)
    assert len(crew.queue) == 0


def test_one_slot_boots_each_guest_once() -> None:
    crew = Crew(Queue(matrix(kernels=5, scenarios=6)))
    crew.run(1)
    assert set(crew.boots.values()) == {1}


def test_two_slots_seldom_boot_a_guest_twice() -> None:
    crew = Crew(Queue(matrix(kernels=5, scenarios=6)), lambda _task: time.sleep(0.001))
    crew.run(2)
    assert sum(crew.boots.values()) <= 8


def test_the_work_is_shared() -> None:
    busy = Counter[str]()

    def work(_task: Task) -> None:
        time.sleep(0.002)
        busy[threading.current_thread().name] += 1

    tasks = matrix(kernels=5, scenarios=6)
    Crew(Queue(tasks), work).run(2)
    assert min(busy.values()) > len(tasks) * 0.3


def test_a_slot_stays_at_its_guest() -> None:
    tasks = [task_of(Cell.baseline("u", f"s{n}", kernel)) for n in range(4) for kernel in ("a", "b")]
    queue = Queue(tasks)
    first = queue.take(0, frozenset())
    assert first is not None
    queue.end(first)
    guests = []
    for _ in range(3):
        task = queue.take(0, frozenset({first.guest}))
        assert task is not None
        guests.append(task.guest)
        queue.end(task)
    assert guests == [first.guest] * 3


def test_a_second_guest_is_booted_for_a_kernel_only_where_much_waits() -> None:
    few = [task_of(Cell.baseline("u", f"s{n}", "a")) for n in range(BOOT_WORTH)]
    queue = Queue(few)
    assert queue.take(0, frozenset()) is not None
    taken: list[Task | None] = []
    other = threading.Thread(target=lambda: taken.append(queue.take(1, frozenset())))
    other.start()
    other.join(0.2)
    assert other.is_alive(), "one less than worth a boot, and another slot is at work there"
    queue.stop()
    other.join()
    assert taken == [None]

    many = Queue([task_of(Cell.baseline("u", f"s{n}", "a")) for n in range(BOOT_WORTH + 1)])
    assert many.take(0, frozenset()) is not None
    assert many.take(1, frozenset()) is not None


def test_a_resumed_run_does_only_the_rest() -> None:
    tasks = matrix(kernels=3, scenarios=2)
    known = [task for task in tasks if task.kind is not Kind.RESTORE]
    queue = Queue(tasks, done=known)
    rest = set(tasks) - set(known)
    assert len(queue) == len(rest)
    done = []
    while task := queue.take(0, frozenset()):
        done.append(task)
        queue.end(task)
    assert Counter(done) == Counter(rest)


def test_what_a_task_waits_for_need_not_be_in_the_run() -> None:
    lonely = task_of(Cell("u", "cold", "cpu", "a", "b"))
    queue = Queue([lonely])
    assert queue.take(0, frozenset()) == lonely


def test_an_empty_run_ends_at_once() -> None:
    assert Queue([]).take(0, frozenset()) is None


def test_stop_hands_out_nothing_more_and_wakes_who_waits() -> None:
    tasks = matrix(kernels=3, scenarios=3)
    queue = Queue(tasks)
    crew = Crew(queue, lambda _task: queue.stop())
    crew.run(4)
    assert 1 <= len(crew.done) <= 4
    assert len(queue) == len(tasks) - len(crew.done)


@pytest.mark.parametrize("failure", [RuntimeError("broken"), KeyboardInterrupt()])
def test_a_slot_that_raises_stops_all(failure: BaseException) -> None:
    tasks = matrix(kernels=4, scenarios=4)
    victim = tasks[20]

    def work(task: Task) -> None:
        time.sleep(0.001)
        if task == victim:
            raise failure

    crew = Crew(Queue(tasks), work)
    with pytest.raises(type(failure)):
        crew.run(3)
    assert victim not in crew.done
    assert len(crew.done) < len(tasks)


def test_tasks_that_wait_for_each_other_are_an_error_and_no_hang() -> None:
    one, two = (task_of(Cell.baseline("u", name, "a")) for name in ("one", "two"))
    queue = Queue([one, two], before=lambda task: (two,) if task == one else (one,))
    with pytest.raises(RuntimeError, match="2 tasks wait for what will never end"):
        queue.take(0, frozenset())
