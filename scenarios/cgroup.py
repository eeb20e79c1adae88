"""A cgroup with limits, a frozen one below it, and three processes in them.

Two processes are in a cgroup whose limits (depth, descendants, and memory, pids, cpu where the hierarchy has these
controllers) are set; a third is in a cgroup below that is frozen, and must stay frozen with it until it is thawed.

Leans on cgroup v2 (4.5), its freezer (5.2), memory.oom.group (4.19). CRIU (3.18 for these settings of v2,
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
    "thawed": "frozen cgroup: it runs",
    "moved": "frozen cgroup: it runs|'frozen_path'",
}
