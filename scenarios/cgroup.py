"""A cgroup with settings, one below it, an empty frozen one, and three processes in the first two.

Two processes are in a cgroup whose depth and number of descendants are limited; a third is in the one below. A process
that is moved into the frozen cgroup must stop. Limits of memory, pids and cpu are in `cgroup_limits`.

Left out: a process in a frozen cgroup. CRIU hangs when it puts its parasite into one, unless it is told that cgroup's
name (https://github.com/checkpoint-restore/criu/issues/2572); seen with 4.1.1 on 6.12, the log ends with
"Parasite syscall_ip at ...". A dump that hangs would cost every run its whole deadline.

Leans on cgroup v2 (4.5), its freezer (5.2). CRIU (3.18 for these settings of v2,
https://github.com/checkpoint-restore/criu/pull/1968) makes cgroups that are not there again, with their settings, and
leaves existing ones alone (--manage-cgroups=soft, the default).
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/cgroup",),
    sources=("cgroup.c",),
    tags=("object", "namespace"),
    needs=Needs(config=("CONFIG_CGROUPS",), kernel="5.2"),
)

CORRUPTIONS = {
    "left": "the child's cgroup",
    "limit": "cgroup.max.descendants: is 'max', expected '33'",
    "thawed": "frozen cgroup: a process in it runs",
    "moved": "'lower_path': ",
}
