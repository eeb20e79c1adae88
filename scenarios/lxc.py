"""A container of LXC: `lxc-checkpoint --stop` and `lxc-checkpoint --restore`.

Holds what the scenario `threads` holds, as the first process of a container: pid, mount, ipc, uts, cgroup and network
namespaces, a /proc and a /dev of its own, a cgroup of its own, a volume.

A privileged container without console and ttys, as CRIU wants it (https://criu.org/LXC), AppArmor unconfined. liblxc
freezes it through the cgroup2 freezer (5.2) and passes CRIU what it knows of mounts, cgroups and AppArmor.
"""

from __future__ import annotations

from pathlib import Path

from harness.matrix.workloads import contained, load
from harness.scenario import Needs

INSIDE = load(Path(__file__).with_name("threads.py"))

SCENARIO = contained(
    INSIDE.scenario, "lxc", Needs(packages=("lxc",), config=("CONFIG_SECURITYFS",), kernel="5.2")
)
