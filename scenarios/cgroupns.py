"""A cgroup namespace: two processes whose cgroup looks like the root of the hierarchy and is not.

Both see themselves at "/"; one that moves down must be seen at "/inner" by both, while the lab sees both paths from
the host's root.

Leans on unshare(CLONE_NEWCGROUP) (4.6) and cgroup v2 (4.5). CRIU (2.2) carries the namespace of the root process and
refuses another inside it ("Can't dump nested cgroup namespace",
https://github.com/checkpoint-restore/criu/issues/174).
"""

from __future__ import annotations

from testinfra.host import Host

from harness.namespaces import check_apart
from harness.scenario import Facts, Needs, Scenario, Workload

SCENARIO = Scenario(
    command=("bin/cgroupns",),
    sources=("cgroupns.c",),
    tags=("object", "namespace"),
    needs=Needs(config=("CONFIG_CGROUPS",), kernel="4.6", features=("cgroupns",)),
)

CORRUPTIONS = {
    "left": "in the host's own namespace: cgroup:",
    "deeper": "the child's cgroup, one down",
    "moved": "the child's cgroup as it sees it: is '/inner'",
}


def remember(host: Host, workload: Workload) -> Facts:
    """Also where the process is, seen from the host's root."""
    return workload.ask() | {"from_outside": outside(host, workload)}


def check(host: Host, workload: Workload, before: Facts) -> None:
    """From inside it is the root, from outside it is where it was."""
    seen = outside(host, workload)
    check_apart(workload, {name: fact for name, fact in before.items() if name != "from_outside"}, "cgroup")
    assert seen == before["from_outside"], f"from outside it was {before['from_outside']} and is {seen}"


def outside(host: Host, workload: Workload) -> str:
    """The line of /proc/PID/cgroup that is cgroup v2's."""
    lines = host.run(f"cat /proc/{workload.pid}/cgroup").stdout.splitlines()
    return "".join(line for line in lines if line.startswith("0::"))
