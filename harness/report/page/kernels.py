"""The kernels of a run in the order of their versions, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.report.rundir import Run
from harness.verdict.order import KernelVersion


@dataclass(frozen=True)
class Kernel:
    """One kernel as the page shows it; every text is untrusted."""

    label: str
    release: str
    version: str
    sha256: str

    @property
    def place(self) -> KernelVersion:
        """Where it stands in the kernels' history."""
        return KernelVersion.of(self.release, self.version or None)


def in_order(run: Run) -> list[Kernel]:
    """All kernels of the plan and the ledger, oldest first; the plan's order decides between equals."""
    known = _planned(run)
    for attempt in run.attempts:
        for side, label in (("source", attempt.cell.source), ("destination", attempt.cell.destination)):
            if label not in known and side in attempt.kernels:
                identity = attempt.kernels[side]
                known[label] = Kernel(label, identity.release, identity.version or "", identity.sha256)
    listed = [known.get(label) or Kernel(label, label, "", "") for label in run.kernels]
    return sorted(listed, key=lambda kernel: kernel.place.key)


def _planned(run: Run) -> dict[str, Kernel]:
    planned = [kernel for kernel in run.plan.get("kernels", []) if isinstance(kernel, Mapping)]
    return {str(kernel["label"]): _kernel(kernel) for kernel in planned if "label" in kernel}


def _kernel(record: Mapping[str, Any]) -> Kernel:
    return Kernel(*(str(record.get(key) or "") for key in ("label", "release", "version", "sha256")))
