"""The signal that a process gets when its parent dies (PR_SET_PDEATHSIG): one that kills, and one that is caught.

A child has two children of its own. Neither may be told of a death before the move is over; then the child is killed,
one of the two must die with it and the other must notice.

Leans on PR_GET_PDEATHSIG (2.3.15). The first process has no such signal: after the move its parent is `criu restore`,
which with `-d` ends, so that the signal comes at once (seen with CRIU 4.1.1 on 6.12; only `--restore-sibling` avoids
it, says the comment at maybe_clone_parent in CRIU).
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/death_signal",), sources=("death_signal.c",))

CORRUPTIONS = {
    "lost": "the victim did not die",
    "parent": "'parent'|told of a death",
    "early": "told of a death",
}
"""What the self-test can damage, and what `check` must then say."""
