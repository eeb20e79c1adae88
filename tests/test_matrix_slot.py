"""A worker's guests: booted once, reset, given up when anything is wrong with them. No guest is real here."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import (
    BootTimeout,
    DeadlineExceeded,
    GuestCommandFailed,
    GuestHang,
    HostError,
    KernelPanic,
    QemuDied,
)
from harness.matrix import slot as slots
from harness.matrix.cell import Cell, Isolation, Outcome, Phase
from harness.matrix.life import CriuFailed, Story
from harness.matrix.plan import Task, task_of
from harness.matrix.slot import Slot


class Site:
    """What was done to a guest."""

    def __init__(self, name: str, fails: dict[str, Exception]) -> None:
        self.name = name
        self.log: list[str] = []
        self.closed = threading.Event()
        self._fails = fails

    def _do(self, step: str) -> None:
        self.log.append(step)
        if failure := self._fails.get(step):
            raise failure

    def snapshot(self) -> None:
        self._do("snapshot")

    def reset(self) -> None:
        self._do("reset")

    def park(self) -> None:
        self._do("park")

    def unpark(self) -> None:
        self._do("unpark")

    def clean(self) -> None:
        self._do("clean")

    def close(self) -> None:
        self.closed.set()


class Bench:
    """A slot, the guests that it booted, and what happens in the next life."""

    def __init__(self, path: Path, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sites: list[Site] = []
        self.fails: dict[str, Exception] = {}
        self.life: Callable[[Story], None] = self.passes
        self.lab: Any = SimpleNamespace(site=self._site, visitors=[], booted=itertools.count())
        self.slot = Slot(3, self.lab, room)
        self._path = path
        monkeypatch.setattr(slots, "live", self._live)

    @staticmethod
    def passes(story: Story) -> None:
        story.outcome = Outcome.PASS

    def _site(self, _userland: str, kernel: str, name: str) -> Site:
        if failure := self.fails.get("boot"):
            raise failure
        self.sites.append(Site(f"{kernel}/{name}", self.fails))
        return self.sites[-1]

    def _live(self, _lab: object, site: Site, story: Story, _checkpoint: object) -> None:
        site.log.append("live")
        self.life(story)

    def attempt(self, kernel: str = "a", isolation: Isolation = Isolation.RESET) -> Story:
        return self.slot.attempt(task(kernel), 1, isolation, self._path / "attempt", None)


def task(kernel: str) -> Task:
    return task_of(Cell.baseline("u", "cpu", kernel))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, 2, monkeypatch)


def test_a_guest_is_booted_once_and_reset_for_every_task(bench: Bench) -> None:
    for _ in range(3):
        assert bench.attempt().outcome is Outcome.PASS
    (site,) = bench.sites
    assert site.log == ["snapshot", *["reset", "live", "park"] * 3]
    assert bench.slot.booted == {("u", "a")}
    assert not site.closed.is_set()


def test_names_are_never_used_twice(bench: Bench) -> None:
    for kernel in "abcab":
        bench.attempt(kernel)
    bench.slot = Slot(3, bench.lab, 2)  # as `--try-remedies` has it, when the run itself has ended
    bench.attempt("a")
    names = [site.name.split("/")[1] for site in bench.sites]
    assert len(set(names)) == len(names) == 6
    assert all(name.startswith("3-") for name in names)


def test_the_least_recently_used_guest_gives_way(bench: Bench) -> None:
    for kernel in "abac":
        bench.attempt(kernel)
    assert bench.slot.booted == {("u", "a"), ("u", "c")}
    assert bench.sites[1].closed.wait(5)
    assert not bench.sites[0].closed.is_set()


def test_a_cold_boot_for_every_cell_keeps_no_guest(bench: Bench) -> None:
    bench.attempt()
    for _ in range(2):
        bench.attempt(isolation=Isolation.BOOT)
    assert [site.log for site in bench.sites[1:]] == [["live"], ["live"]]
    assert all(site.closed.wait(5) for site in bench.sites[1:])
    assert not bench.sites[0].closed.is_set()


def test_a_shared_guest_is_cleaned_and_given_up_after_a_failure(bench: Bench) -> None:
    bench.attempt(isolation=Isolation.SHARED)
    bench.life = lambda story: setattr(story, "outcome", Outcome.FAIL)
    bench.attempt(isolation=Isolation.SHARED)
    (site,) = bench.sites
    assert site.log == ["snapshot", "unpark", "clean", "live", "park", "unpark", "clean", "live"]
    assert site.closed.wait(5)
    assert bench.slot.booted == frozenset()


@pytest.mark.parametrize(
    ("failure", "kept"),
    [
        (KernelPanic("x"), False),
        (GuestHang("x"), False),
        (QemuDied("x"), False),
        (DeadlineExceeded("x"), False),
        (GuestCommandFailed("x"), False),
        (CriuFailed("x"), True),
        (AssertionError("x"), True),
        (ValueError("x"), True),
    ],
)
def test_only_a_guest_in_order_is_kept(bench: Bench, failure: Exception, kept: bool) -> None:
    def life(story: Story) -> None:
        story.failure, story.outcome = failure, Outcome.ERROR

    bench.life = life
    bench.attempt()
    assert bool(bench.slot.booted) is kept
    assert bench.sites[0].closed.wait(0 if kept else 5) is not kept
    bench.life = bench.passes
    assert bench.attempt().outcome is Outcome.PASS
    assert len(bench.sites) == (1 if kept else 2)


@pytest.mark.parametrize(
    "failure",
    [BootTimeout("late", console="last \x1b words"), KernelPanic("x", console="y"), HostError("no room")],
)
def test_a_guest_that_does_not_boot_costs_one_attempt(
    bench: Bench, failure: Exception, tmp_path: Path
) -> None:
    bench.fails["boot"] = failure
    story = bench.attempt()
    assert (story.outcome, story.phase, story.failure) == (Outcome.ERROR, Phase.BOOT, failure)
    assert story.error == str(failure)
    assert bench.slot.booted == frozenset()
    if console := getattr(failure, "console", ""):
        assert (tmp_path / "attempt" / "console.log").read_text() == console
    bench.fails.clear()
    assert bench.attempt().outcome is Outcome.PASS


@pytest.mark.parametrize("step", ["snapshot", "reset"])
def test_a_guest_that_cannot_be_made_ready_is_ended(bench: Bench, step: str) -> None:
    bench.fails[step] = QemuDied("gone")
    story = bench.attempt()
    assert (story.outcome, story.phase, story.error) == (Outcome.ERROR, Phase.BOOT, "gone")
    assert "live" not in bench.sites[0].log
    assert bench.sites[0].closed.wait(5)
    assert bench.slot.booted == frozenset()


def test_a_guest_that_cannot_be_parked_is_ended_and_the_cell_keeps_its_outcome(bench: Bench) -> None:
    bench.fails["park"] = QemuDied("gone")
    assert bench.attempt().outcome is Outcome.PASS
    assert bench.sites[0].closed.wait(5)
    assert bench.slot.booted == frozenset()


def test_an_interrupt_goes_through(bench: Bench) -> None:
    def life(_story: Story) -> None:
        raise KeyboardInterrupt

    bench.life = life
    with pytest.raises(KeyboardInterrupt):
        bench.attempt()


def test_closing_ends_all_guests(bench: Bench) -> None:
    bench.attempt("a")
    bench.attempt("b")
    bench.slot.close()
    assert all(site.closed.wait(5) for site in bench.sites)
    assert bench.slot.booted == frozenset()
