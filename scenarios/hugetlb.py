"""Huge pages: a private mapping, one shared with a child, and a memory file of them.

The lab sets `vm.nr_hugepages` on both sides: a kernel's pool of huge pages is no process's, and a machine that is to
take such a process needs its own. CRIU needs up to twice the pages while it restores.

Leans on MAP_HUGETLB (2.6.32), memfd_create's MFD_HUGETLB (4.14, 4.16 with seals), smaps' flag `ht`; CRIU saves huge
pages since 3.17 (https://github.com/checkpoint-restore/criu/pull/1622).
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/hugetlb",),
    sources=("hugetlb.c",),
    needs=Needs(kernel="4.14", config=("CONFIG_HUGETLBFS",)),
    sysctls=("vm.nr_hugepages=10",),
)

CORRUPTIONS = {
    "byte": "own: byte 8 of 4096",
    "small": "own: is 4, expected 2048",
    "split": "file: does not see",
    "stopped": "shared: the child does not answer",
}
"""What the self-test can damage, and what `check` must then say."""
