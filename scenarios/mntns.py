"""A mount namespace with a second one inside: peers, slaves, private and unbindable mounts, covers and views.

A tmpfs with files in it is mounted at five places: two peers, a slave, a private and an unbindable mount. A child is
in a mount namespace of its own, whose mounts are the parent's peers, but for one that became a slave. A tmpfs covers
a directory, a directory is bound read-only, a file is bound over a file. Afterwards new mounts must appear where they
would have, in both namespaces, and nowhere else.

CRIU 4.1.1 dies at the restore of a mount namespace if it is not told a root ("BUG at criu/mount.c:48"): hence --root.
Left out: a devtmpfs (`mntns_devtmpfs`).

Leans on mount namespaces (2.4.19) and propagation (2.6.15), mountinfo (2.6.26), mnt_id in fdinfo (3.15) and, where CRIU
(3.17 and later) uses its second mount engine, on MOVE_MOUNT_SET_GROUP (5.15). Linux 6.16 and the stable series of that
time (12f147ddd6de) refused to change a mount of another namespace: "mnt-v2: Failed to make mount N slave"
(https://github.com/checkpoint-restore/criu/issues/2694), since CRIU 4.1.1 it enters the namespace for that.
"""

from __future__ import annotations

from testinfra.host import Host

from harness.namespaces import check_apart
from harness.scenario import Facts, Needs, Scenario, Workload

SCENARIO = Scenario(
    command=("bin/mntns",),
    sources=("mntns.c",),
    tags=("object", "namespace"),
    needs=Needs(features=("mnt_id",)),
    restore=("--root=/",),
)

CORRUPTIONS = {
    "left": "in the host's own namespace: mnt:",
    "byte": "first/file: byte 400",
    "peer": "peer/place: a new mount is not there",
    "slave": "slave/place: a new mount is not there",
    "writable": "readonly: takes a file",
    "sealed": "sealed: can be bound elsewhere",
    "uncovered": "covered/over: -1 bytes|covered: cannot be uncovered",
}


def check(host: Host, workload: Workload, before: Facts) -> None:
    """The mounts are there, and not among the host's."""
    check_apart(workload, before, "mnt")
    mounts = host.run("cat /proc/self/mountinfo").stdout
    assert "kmatrix-first" not in mounts, "the mounts are in the host's own namespace"
