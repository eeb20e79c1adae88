"""Where kernels come from: Debian's archive, local packages, files; and what makes them bootable."""

from harness.kernels.catalogue import Candidate, obtain, prepare, resolve
from harness.kernels.kconfig import shortcomings
from harness.kernels.kernel import Kernel, Provenance

__all__ = ["Candidate", "Kernel", "Provenance", "obtain", "prepare", "resolve", "shortcomings"]
