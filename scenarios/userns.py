"""A user namespace: its users are others on the host, its root has few capabilities.

Maps of users and groups, the latter in two pieces; supplementary groups; a file whose owner is a user of the map; a
child that is that user; effective, permitted and bounding capabilities. Root inside may give a file to anyone of the
map and to nobody else.

Leans on unshare(CLONE_NEWUSER) and the maps in /proc (3.8), setgroups (3.19), PR_SET_MM_MAP, by which CRIU restores
inside (3.18). CRIU writes the maps of the root process's namespace; user namespaces inside it are refused.
It dumps such a tree and does not restore it unless the namespaces of pids and mounts belong to the same user namespace
("Unable to open the proc file system: Operation not permitted", CRIU 4.1.1): it mounts a proc of its own, which takes
a pid namespace that one owns. Containers have all of them, a sandbox like this one has not.
"""

from __future__ import annotations

from testinfra.host import Host

from harness.namespaces import check_apart
from harness.scenario import Facts, Needs, Scenario, Workload

SCENARIO = Scenario(
    command=("bin/userns",),
    sources=("userns.c",),
    tags=("trait", "namespace"),
    needs=Needs(config=("CONFIG_USER_NS",), features=("userns",)),
)

CORRUPTIONS = {
    "capability": r"'effective': \(",
    "owner": r"'owner_group': \(4321, 1\)",
    "groups": r"'groups': \(501500, 0\)",
    "map": r"'uid_map': \('0 100000 65536', '0 0 1'\)|cannot give a file away",
}


def check(host: Host, workload: Workload, before: Facts) -> None:
    """The maps are as they were, and outside the file belongs to the user that the map gives."""
    outside = host.run(f"stat -c %u:%g {workload.directory}/owned").stdout.strip()
    check_apart(workload, before, "user")
    assert outside == "101234:105321", f"outside the file belongs to {outside}"
