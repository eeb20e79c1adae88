"""Signal descriptors: their masks, signals that wait to be read through them, one of them also held by a child.

Nine real-time signals with values of their own wait in the parent, one in the child; each must come out of the right
descriptor, in order, in the process that it was sent to. One descriptor is watched by an epoll set.

Leans on /proc/PID/fdinfo for signalfd (3.8), PTRACE_PEEKSIGINFO (3.10), what `signals` leans on.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/signalfd",), sources=("signalfd.c",))

CORRUPTIONS = {
    "lost": "signal 40, 0 of 3: another came",
    "mask": "signal 42, 0 of 3: does not come",
    "order": "signal 40, 0 of 3: another came",
    "blocking": "first flags",
    "unwatched": "the set has 0 ready",
    "child": "the child's signal",
}
"""What the self-test can damage, and what `check` must then say."""
