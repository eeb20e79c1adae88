"""An orphan of a session whose leader is dead, which came to a child subreaper: any daemon that was forked twice.

Its session and its group have the number of the dead leader; its parent is the subreaper that got it. After the move
all three must be what they were, and the parent must be able to wait for it.

Leans on what `sessions` leans on. CRIU holds the dead leader's number by a helper process, makes the orphan its child
(`Attach 20006 to the temporary task 20004`) and lets the helper end; the subreaper attribute is restored only after
that, so that the orphan comes to init and not to the subreaper (seen with CRIU 4.1.1, 6.12 to 6.12). A scenario of its
own, so that it hides no other.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/orphan",), sources=("orphan.c",), tags=("trait",))

CORRUPTIONS = {
    "group": "'group'",
    "session": "the orphan does not answer|'session'",
    "parent": "the orphan is a child of",
}
"""What the self-test can damage, and what `check` must then say."""
