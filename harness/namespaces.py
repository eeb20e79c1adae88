"""Which namespaces a workload is in, seen from outside: what it says of them itself may be the host's own."""

from __future__ import annotations

from harness.scenario import Facts, Workload
from harness.witness import assert_steady, assert_unharmed


def namespaces(workload: Workload, pid: int | str, *kinds: str) -> list[str]:
    """The identity of a process's namespaces (`uts`, `net`, ...), as the kernel of the workload's host writes it."""
    done = workload.host.run("readlink " + " ".join(f"/proc/{pid}/ns/{kind}" for kind in kinds))
    assert done.rc == 0, f"process {pid} is gone: it has no namespaces {', '.join(kinds)}"
    found: list[str] = done.stdout.split()
    return found


def assert_apart(workload: Workload, *kinds: str) -> None:
    """Assert that the workload is in namespaces of its own and not in those of the lab's shell beside it.

    A state that was restored into the host's namespace looks right from inside.
    """
    own = namespaces(workload, workload.pid, *kinds)
    shared = set(own) & set(namespaces(workload, "self", *kinds))
    assert not shared, f"process {workload.pid} is in the host's own namespace: {', '.join(sorted(shared))}"


def check_apart(workload: Workload, before: Facts, *kinds: str, moving: tuple[str, ...] = ()) -> None:
    """The check that every scenario has, for a workload that must besides be in namespaces of its own."""
    assert_apart(workload, *kinds)
    after = workload.ask("check")
    assert_unharmed(workload, before, after)
    assert_steady(before, after, moving)
