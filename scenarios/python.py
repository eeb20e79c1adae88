"""An ordinary Python program in the userland's own interpreter: files, timers, a subprocess, objects in memory.

It holds an open file and a duplicate that shares its offset, a deleted file, an append-only descriptor, text that
is not flushed yet; an interval timer, a timerfd an hour ahead where Python has it (3.13), a chain of threading
timers, a sleeping thread; a subprocess that counts what it is told over pipes; a generator, a random generator,
thousands of objects.

Leans on ghost files, fcntl flags, kcmp (3.5) for shared offsets, getitimer, /proc/PID/fdinfo for timerfd (3.17),
and on time namespaces (5.6) so that CLOCK_MONOTONIC does not go back: before them a timer set for a time of the
source's clock waits until the destination has been up as long.

The timerfd is far ahead on purpose: a periodic one that has expired unread is restored disarmed (seen with CRIU
4.1.1; checkpoint-restore/criu#3162 is open), which would hide everything else.
"""

from __future__ import annotations

from testinfra.host import Host

from harness.scenario import Facts, Needs, Scenario, Workload
from harness.witness import assert_unchanged, assert_unharmed

SCENARIO = Scenario(
    command=("/usr/bin/python3", "-EsSB", "bin/holder.py"),
    files=("files/holder.py", "files/witness.py"),
    tags=("app",),
    needs=Needs(packages=("python3",)),
)

CORRUPTIONS = {
    "offset": "reader: wrong bytes",
    "twin": "no longer shares",
    "deleted": "deleted file: other bytes",
    "undeleted": "deleted file: has a name again",
    "append": "does not append",
    "buffered": "buffered text: lost",
    "itimer": "interval timer: does not fire",
    "timer": "threading timer: does not fire",
    "subprocess": "does not answer as before",
    "generator": "the counter jumped",
    "object": "objects",
}
"""What the self-test can damage, and what `check` must then say."""


def ready(host: Host, workload: Workload) -> None:
    """Wait until everything is open and the subprocess has answered once."""
    workload.await_ready(seconds=40)


def check(host: Host, workload: Workload, before: Facts) -> None:
    """The program reads on, lets its timers fire, talks to its subprocess, and says what is not as it was."""
    after = workload.ask("check")
    assert_unharmed(workload, before, after)
    files = ("offset", "deleted_offset", "deleted_links", "deleted_hash", "appended", "buffered_on_disk")
    assert_unchanged(before, after, *files, "companion", "python", "objects", "random", "interval")
    for counter in ("alarms", "fired", "naps"):
        assert after[counter] >= before[counter], f"{counter} went back"
    if before["timerfd_left"] is not None:
        gone = before["timerfd_left"] - after["timerfd_left"]
        assert 0 < gone < 600, f"the timerfd's remaining time moved by {gone} s"
    assert after["monotonic"] > before["monotonic"], "CLOCK_MONOTONIC went back"
