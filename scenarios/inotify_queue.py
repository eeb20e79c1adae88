"""inotify events that were queued and not read yet.

CRIU does not carry them: the dump goes on, says `The 0x... inotify events will be dropped` in its log as a warning,
and the program never learns that files have changed (https://github.com/checkpoint-restore/criu/issues/48,
of 2015, closed as stale). `inotify` holds the watches themselves.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/inotify_queue",),
    sources=("inotify_queue.c",),
    needs=Needs(config=("CONFIG_INOTIFY_USER", "CONFIG_FHANDLE")),
    tags=("trait",),
)

CORRUPTIONS = {
    "lost": "event 0 of 3 is not in the queue",
    "partly": "event 0: mask 100 of watch 1 about new-1",
    "more": "there are more events",
    "order": "event 0: mask 100 of watch 1 about new-2",
}
"""What the self-test can damage, and what `check` must then say."""
