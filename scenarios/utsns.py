"""A UTS namespace: host name and domain name that only two processes see.

Both processes are in it, and each must see when the other changes a name. Neither name is the host's.

Leans on unshare(CLONE_NEWUTS) (2.6.19) and /proc/PID/ns/uts (3.0). CRIU carries one such namespace for the whole
tree; a second one inside it is refused ("Can't dump nested uts namespace",
https://github.com/checkpoint-restore/criu/issues/1430).
"""

from __future__ import annotations

from testinfra.host import Host

from harness.namespaces import check_apart
from harness.scenario import Facts, Needs, Scenario, Workload

SCENARIO = Scenario(
    command=("bin/utsns",),
    sources=("utsns.c",),
    tags=("object", "namespace"),
    needs=Needs(config=("CONFIG_UTS_NS",)),
)

CORRUPTIONS = {
    "left": "in the host's own namespace: uts:",
    "node": "host name: is 'elsewhere'",
    "domain": r"domain name: is '\(none\)'",
    "apart": "host name in the child, renamed: is 'node-",
}


def check(host: Host, workload: Workload, before: Facts) -> None:
    """The names are theirs alone: this host has others."""
    check_apart(workload, before, "uts")
