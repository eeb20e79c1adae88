"""Descriptors of processes (pidfd): of the process itself, of a live child, of a zombie, of one that was waited for.

The zombie's must give its exit code, the live child's must carry a signal and then say that it has ended, that of the
process that is no more must give ESRCH and still be readable.

Leans on pidfd_open (5.3), waitid with P_PIDFD (5.4), /proc/PID/fdinfo for pidfd (5.2; pid -1 for one that was waited
for). Since 6.9 such a descriptor is a file of pidfs and no anonymous inode any more. CRIU carries pidfds since 4.1;
for a process that is no more it starts one and lets it end.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(command=("bin/pidfd",), sources=("pidfd.c",), needs=Needs(kernel="5.4"))

CORRUPTIONS = {
    "child": "live: is not a child that lives",
    "reaped": "zombie: is not the child that exited with 23",
    "revived": "signal to the buried one: is 0",
    "other": "live: gets no signal",
}
"""What the self-test can damage, and what `check` must then say."""
