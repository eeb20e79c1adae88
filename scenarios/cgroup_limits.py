"""A cgroup with limits of memory, pids, processor time and huge pages.

The workload must be able to make as many children as pids.max allows and no more. Both hosts pass these controllers on
from the root, as systemd does (`around`): without that no cgroup could have a limit.

Leans on cgroup v2 (4.5), its cpu controller (4.15), memory.oom.group (4.19) and hugetlb (5.6). CRIU carries of a
cgroup v2 its type, depth, descendants, freezer and subtree_control and no controller's files: every limit is lost, a
container engine sets them again. Its built-in lists have the names of version 1 alone, as the dump's log shows
("cg-prop: Property").
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/cgroup_limits",),
    sources=("cgroup_limits.c",),
    tags=("trait", "namespace"),
    needs=Needs(config=("CONFIG_MEMCG", "CONFIG_CGROUP_PIDS", "CONFIG_CFS_BANDWIDTH"), kernel="5.2"),
    around=("/work/bin/cgroup_limits",),
)

CORRUPTIONS = {
    "limit": ": is 'max', expected '",
    "moved": "'path': ",
    "left": "'path': ",
}
