"""A container of runc: `runc checkpoint` and `runc restore`; TCP connections inside.

Holds what the scenario `tcp` holds, as the first process of a container: pid, mount, ipc, uts, cgroup and network
namespaces, the masked and read-only paths of a runtime, a cgroup of its own, a volume.

Leans on what `runc` calls CRIU for: the network namespace is made by the lab on either side and joined by its path, as
containerd does it, for runc saves no network devices (nsfs, 3.19); external bind mounts; cgroup2 and its freezer (5.2).
"""

from __future__ import annotations

from pathlib import Path

from harness.matrix.workloads import contained, load
from harness.scenario import Needs

INSIDE = load(Path(__file__).with_name("tcp.py"))

SCENARIO = contained(INSIDE.scenario, "runc", Needs(packages=("runc",), kernel="5.2"))
