"""What `mntns` holds, and the host's /dev, a devtmpfs.

There is one devtmpfs in a kernel, so CRIU has nothing to save of it but its device number, and takes one of another
number for one with contents that it should have in an image: "No tmpfs-dev-5.tar.gz.img image", then "Restoring FAILED"
without a reason (CRIU 4.1.1, 6.1 to 6.12 and back). The number counts what the kernel has mounted before, so the move
succeeds on one kernel and fails between two. A container has a tmpfs there.

Leans on devtmpfs (2.6.32).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.matrix.workloads import load

_MNTNS = load(Path(__file__).with_name("mntns.py"))

SCENARIO = replace(_MNTNS.scenario, command=("bin/mntns", "devtmpfs"), tags=("trait", "namespace"))
CORRUPTIONS = _MNTNS.corruptions
check = _MNTNS.module.check
