"""A pid namespace: its first process, a child of a chosen pid, an inherited orphan, a zombie.

The tree that is dumped is the whole namespace: inside, pids, sessions, groups and a pipe's owner keep their numbers;
outside, they have new ones. The first process must still be immune to its descendants' signals and inherit orphans.

Leans on CLONE_NEWPID (2.6.24), on NSpid in /proc (4.1) and ns_last_pid (3.3) or clone3's set_tid (5.5). CRIU carries a
pid namespace whose first process is the root of the tree; see `pidns_nested` for the other kind.
"""

from __future__ import annotations

from dataclasses import replace

from testinfra.host import Host

from harness.namespaces import check_apart
from harness.scenario import WORK, Facts, Needs, Scenario, Workload

SCENARIO = Scenario(
    command=("bin/pidns",),
    sources=("pidns.c",),
    tags=("object", "namespace"),
    needs=Needs(config=("CONFIG_PID_NS",), kernel="4.1", features=("ns_pid",)),
    pidfile="pid",
    restore=(f"--pidfile={WORK}/pid",),
)

CORRUPTIONS = {
    "zombie": "zombie: pid 0",
    "orphan": "'orphan': ",
    "child": "child",
    "more": "more children than there were",
    "owner": r"'owner': \(1000, 1\)",
}


def remember(host: Host, workload: Workload) -> Facts:
    """The workload's own words. The file that named it goes: CRIU will not write over it."""
    host.run_test(f"rm {workload.directory}/{SCENARIO.pidfile}")
    return workload.ask()


def check(host: Host, workload: Workload, before: Facts) -> None:
    """Inside it is process 1, outside it is another, and so are all that are with it."""
    check_apart(replace(workload, inner=1), before, "pid")
