"""The surfaces of a run's kernels: probed in the guests that the run boots anyway, or one boot each, and remembered."""

from __future__ import annotations

import itertools
import logging
import threading
from dataclasses import dataclass, field

from harness.errors import HarnessError
from harness.matrix.lab import Lab
from harness.matrix.slot import end
from harness.migration.site import Site
from harness.surface import FOLDER, probe
from harness.surface.probe import Subject
from harness.surface.record import Record, merge, write

_LOG = logging.getLogger(__name__)


@dataclass
class Surfaces:
    """The records of one run, written to its folder as they come."""

    lab: Lab
    _records: dict[tuple[str, str], Record] = field(default_factory=dict)
    """By kernel and userland."""
    _taken: set[tuple[str, str]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def recall(self) -> list[tuple[str, str]]:
        """Write what earlier runs have found; returns the (kernel, userland) that nobody has probed yet."""
        for label, userland in itertools.product(self.lab.kernels, self.lab.images):
            if (record := probe.known(self.subject(label, userland), self.lab.cache)) is not None:
                self.keep(userland, record)
        return [
            pair for pair in itertools.product(self.lab.kernels, self.lab.images) if pair not in self._records
        ]

    def subject(self, label: str, userland: str) -> Subject:
        """What is probed under a label in a userland."""
        lab = self.lab
        return Subject(label, lab.kernels[label], lab.images[userland], lab.hardware)

    def keep(self, userland: str, record: Record) -> None:
        """Write a record to the run's folder, with what the other userlands' CRIUs said of the same kernel."""
        label = record.kernel.label
        with self._lock:
            self._records[label, userland] = record
            known = [self._records[label, name] for name in self.lab.images if (label, name) in self._records]
            write(self.lab.directory / FOLDER / f"{label}.json", merge(known))

    def visit(self, site: Site, userland: str, label: str) -> None:
        """Probe a guest that was just booted and snapshot, unless this kernel is known; the guest is reset.

        A kernel that does not stand the probe is no reason to end a run.
        """
        with self._lock:
            if (label, userland) in self._records or (label, userland) in self._taken:
                return
            self._taken.add((label, userland))
        try:
            self._probe(site, userland, label)
        except HarnessError as error:
            _LOG.warning("the surface of %s is not known: %s", label, error)
        site.reset()

    def boot(self, userland: str, label: str, name: str) -> None:
        """Boot a guest for the probe alone. Raises every `GuestError`."""
        site = self.lab.site(userland, label, name)
        try:
            site.load_modules()
            self._probe(site, userland, label)
        finally:
            end(site)

    def _probe(self, site: Site, userland: str, label: str) -> None:
        self.keep(
            userland, probe.probed(self.subject(label, userland), self.lab.cache, site.guest, site.criu)
        )

    @property
    def records(self) -> dict[str, Record]:
        """By label, in the kernels' order."""
        return {
            label: merge(found)
            for label in self.lab.kernels
            if (
                found := [
                    self._records[label, name] for name in self.lab.images if (label, name) in self._records
                ]
            )
        }
