"""The kernels of a run in the order of their versions, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.report.kernel_pages import kernel_facts
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
    facts = kernel_facts(run)
    listed = [_kernel(label, facts.get(label, {})) for label in run.kernels]
    return sorted(listed, key=lambda kernel: kernel.place.key)


def _kernel(label: str, facts: Mapping[str, Any]) -> Kernel:
    release, version, sha256 = (str(facts.get(key) or "") for key in ("release", "version", "sha256"))
    return Kernel(label, release or label, version, sha256)
