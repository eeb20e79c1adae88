"""tmux with an attached client and a shell with a job in the background and one in front that counts what is typed.

The workload is the terminal too: it holds the other end of the pty on which the client draws. What is typed there goes
through the client and a UNIX socket to the server, through a second pty to the shell's foreground job, and back. The
shell has a variable in its memory, tmux the window's history in its own. After the move Ctrl-C must end the job
and a new size of the outer terminal must come through to the shell. `tmux_stopped` has a stopped
job besides, and looks at what CRIU loses: the terminals of jobs that are not in front.

Leans on ptys (TIOCGWINSZ, termios, controlling terminals, foreground groups: TIOCSPGRP), sessions and process groups,
descriptors that the client passed to the server (SCM_RIGHTS), epoll, a UNIX socket with a name below
/work. `tmux -D` keeps the server in the foreground: as a daemon it would leave the tree. No --shell-job: every
terminal's other end is in the tree.
"""

from __future__ import annotations

from testinfra.host import Host

from harness.scenario import Needs, Scenario, Workload

SCENARIO = Scenario(
    command=("/usr/bin/python3", "-EsSB", "bin/tmux_user.py"),
    files=("files/tmux_user.py", "files/peers.py", "files/witness.py"),
    tags=("app",),
    needs=Needs(packages=("python3", "tmux")),
    moving=("fronts",),
)

CORRUPTIONS = {
    "typed": "foreground job: does not count on|changed .*history",
    "interrupted": "foreground job: does not count on",
    "history": "history: has not every line",
    "job": "shell: does not know its jobs|changed .*jobs",
    "detached": "changed .*client",
}
"""What the self-test can damage, and what `check` must then say."""


def ready(host: Host, workload: Workload) -> None:
    """Wait until the foreground job has counted two lines."""
    workload.await_ready(seconds=90)
