"""A pid namespace inside the tree: a child is its first process, the root of the tree is outside.

CRIU carries a pid namespace only whole, with its first process as the root of the tree (see `pidns`), and refuses this
("Can't dump nested pid namespace", https://github.com/checkpoint-restore/criu/issues/2086; a change that would allow
it is https://github.com/checkpoint-restore/criu/pull/2968): that is the expected result, and a CRIU that learns it is
checked like any other.

Leans on unshare(CLONE_NEWPID) (3.8).
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/pidns_nested",),
    sources=("pidns_nested.c",),
    tags=("trait", "namespace"),
    needs=Needs(config=("CONFIG_PID_NS",), kernel="3.8"),
    refusal="Can't dump nested pid namespace",
)

CORRUPTIONS = {
    "left": "no child of the first process: is '",
    "restarted": "'partner': ",
    "number": "next child of the first process: is '1 0 3'",
}
