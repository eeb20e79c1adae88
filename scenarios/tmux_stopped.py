"""tmux as `tmux` has it, with one more job of the shell's that is stopped (Ctrl-Z) and must wake by `fg`.

Leans on what `tmux` leans on and on stopped tasks.

With CRIU 4.1.1 two things are not what they were (seen on 6.12 → 6.12). The shell's loop ends with the first line that
is typed, and bash prints `[2]+ Stopped` anew; without the stopped job it goes on. The likely reason: CRIU stops the
task once more when it has restored it, and its parent hears of a stop that it has seen long ago. And of the session's
processes the leader alone has a controlling terminal: the jobs' (`fronts`, tpgid in /proc/PID/stat) is -1.
"""

from __future__ import annotations

from testinfra.host import Host

from harness.scenario import Needs, Scenario, Workload

SCENARIO = Scenario(
    command=("/usr/bin/python3", "-EsSB", "bin/tmux_user.py", "stopped"),
    files=("files/tmux_user.py", "files/peers.py", "files/witness.py"),
    tags=("trait", "app"),
    needs=Needs(packages=("python3", "tmux")),
)

CORRUPTIONS = {
    "typed": "foreground job: does not count on|changed .*history",
    "interrupted": "foreground job: does not count on",
    "history": "history: has not every line",
    "job": "stopped job: does not go on|shell: does not know its jobs",
    "detached": "changed .*client",
}
"""What the self-test can damage, and what `check` must then say."""


def ready(host: Host, workload: Workload) -> None:
    """Wait until the foreground job has counted two lines."""
    workload.await_ready(seconds=90)
