"""A container of podman, TCP connections inside: `podman container checkpoint --export`, `container restore --import`.

Holds what the scenario `tcp` holds, as the first process of a container: pid, mount, ipc, uts, cgroup and network
namespaces, the masked and read-only paths of a runtime, a cgroup of its own, a volume.

The archive that podman exports is what travels; the image is loaded on either side from the same bytes, for a
checkpoint names its image by id. Podman runs the runtime that its package chooses: crun, which loads libcriu (in
Debian since trixie). Leans on what crun leans on.
"""

from __future__ import annotations

from pathlib import Path

from harness.matrix.workloads import contained, load
from harness.scenario import Needs

INSIDE = load(Path(__file__).with_name("tcp.py"))

SCENARIO = contained(INSIDE.scenario, "podman", Needs(packages=("podman", "crun", "libcriu2"), kernel="5.2"))
