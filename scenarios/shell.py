"""A shell job: a script, its pipeline `sh | sh` in the background, traps, lines that lie in the pipe between them.

The first stage has numbered three words; the second, which ignores SIGHUP, waits before it takes them. After the
move a signal for which the first has a trap, a fourth word and the end are sent: every line must come out once, in
order, with the counts of both and a secret that is in memory alone, and the pipeline must end with its last stage's
code. The script itself goes on as scripts do, by starting `sleep` and waiting for it, over and over.

Leans on what any program leans on: fork, pipes, fifos, SIGCHLD, wait, a script that the shell reads as it goes.
It is asked by SIGUSR1 like all others, but as a shell must, by a trap.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("/bin/sh", "bin/job.sh"), files=("files/job.sh",), tags=("object", "app"))

CORRUPTIONS = {
    "killed": "expected 4  4 1 delta|expected 5  first ends after 4|the first stage is gone",
    "restarted": "'first'",
    "stray": "expected 4  4 1 delta, got 4  4 0 stray",
    "secret": "expected 1  1 0 alpha",
    "trap": "TERM was trapped 0 times",
    "umask": "umask",
    "counter": "the counter jumped",
}
"""What the self-test can damage, and what `check` must then say."""
