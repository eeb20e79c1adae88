"""A worker's place: the guests that it keeps booted, one task at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from harness.errors import DeadlineExceeded, GuestCommandFailed, GuestError, HarnessError
from harness.matrix.cell import Isolation, Outcome, Phase
from harness.matrix.lab import Lab
from harness.matrix.life import Story, judge, live
from harness.matrix.plan import Task
from harness.migration.checkpoint import Checkpoint
from harness.migration.site import Site

Key = tuple[str, str]
"""(userland, kernel)."""


class Slot:
    """Guests of one worker thread, each booted once, snapshot, and reset for every task."""

    def __init__(self, number: int, lab: Lab, room: int) -> None:
        """`room` is how many booted guests it may keep; the least recently used one gives way."""
        self.number = number
        self._lab = lab
        self._room = room
        self._sites: OrderedDict[Key, Site] = OrderedDict()

    @property
    def booted(self) -> frozenset[Key]:
        """For which (userland, kernel) a guest stands ready."""
        return frozenset(self._sites)

    def attempt(
        self, task: Task, number: int, isolation: Isolation, directory: Path, checkpoint: Checkpoint | None
    ) -> Story:
        """One attempt at a task. Its guest is given up if anything is wrong with it."""
        directory.mkdir(parents=True, exist_ok=True)
        story = Story(task, number, isolation, directory, slot=self.number)
        try:
            with story.during(Phase.BOOT):
                site = self._site(task, isolation)
        except HarnessError as failure:
            story.failure = failure
            story.outcome, story.error = judge(failure, Phase.BOOT)
            if isinstance(failure, GuestError):
                story.keep("console", failure.console)
            return story
        try:
            live(self._lab, site, story, checkpoint)
        finally:
            self._put_back(task.guest, site, story)
        return story

    def _site(self, task: Task, isolation: Isolation) -> Site:
        if isolation is Isolation.BOOT:
            return self._boot(task.guest)
        site = self._sites.get(task.guest)
        new = site is None
        if site is None:
            self._make_room()
            site = self._boot(task.guest)
            # Before the snapshot, so that a guest that cannot be snapshot is ended like any other.
            self._sites[task.guest] = site
        self._sites.move_to_end(task.guest)
        try:
            if new:
                site.snapshot()
                for visit in self._lab.visitors:
                    visit(site, *task.guest)
            if isolation is Isolation.RESET:
                site.reset()
            else:
                site.unpark()
                site.clean()
        except HarnessError:
            self._drop(task.guest)
            raise
        return site

    def _boot(self, key: Key) -> Site:
        userland, kernel = key
        return self._lab.site(userland, kernel, f"{self.number}-{next(self._lab.booted)}")

    def _make_room(self) -> None:
        while len(self._sites) >= self._room:
            self._drop(next(iter(self._sites)))

    def _put_back(self, key: Key, site: Site, story: Story) -> None:
        if self._sites.get(key) is not site:
            end(site)
            return
        lost = isinstance(story.failure, GuestError | DeadlineExceeded | GuestCommandFailed)
        dirty = story.isolation is Isolation.SHARED and story.outcome is not Outcome.PASS
        if lost or dirty:
            self._drop(key)
            return
        try:
            site.park()
        except GuestError:
            self._drop(key)

    def _drop(self, key: Key) -> None:
        end(self._sites.pop(key))

    def close(self) -> None:
        """End all guests."""
        for key in list(self._sites):
            self._drop(key)


def end(site: Site) -> None:
    """End a guest and do not wait: libvirt takes 1.2 to 1.8 s for it. `Hypervisor.close` waits for all."""
    threading.Thread(target=site.close, name="ending a guest").start()
