"""A container of crun: `crun checkpoint` and `crun restore`; TCP connections inside.

Holds what the scenario `tcp` holds, as the first process of a container: pid, mount, ipc, uts, cgroup and network
namespaces, the masked and read-only paths of a runtime, a cgroup of its own, a volume.

crun calls libcriu, which Debian has since trixie, and leaves the network namespace with its loopback to CRIU. Leans on
external bind mounts, on netlink for links and addresses, on cgroup2 and its freezer (5.2).
"""

from __future__ import annotations

from pathlib import Path

from harness.matrix.workloads import contained, load
from harness.scenario import Needs

INSIDE = load(Path(__file__).with_name("tcp.py"))

SCENARIO = contained(INSIDE.scenario, "crun", Needs(packages=("crun", "libcriu2"), kernel="5.2"))
