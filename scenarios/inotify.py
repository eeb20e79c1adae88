"""inotify: two instances with watches on a file and on directories, with masks and numbers of their own.

One number has been used and given up; two instances watch one file, one of them is non-blocking. After the move the
queues must be empty, and each event that the check causes must come once, from the right watch, under its old number.

CRIU finds a watched inode by its file handle (open_by_handle_at 2.6.39, fdinfo's `fhandle` 3.8) and keeps the path
that it has then; an inode number means nothing on another machine. The number is set by INOTIFY_IOC_SETNEXTWD (4.16),
before by adding and removing watches. What CRIU loses stands alone: `inotify_queue`, `inotify_flags`, `inotify_link`.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/inotify",),
    sources=("inotify.c",),
    needs=Needs(config=("CONFIG_INOTIFY_USER", "CONFIG_FHANDLE")),
)

CORRUPTIONS = {
    "mask": "file, calm: events",
    "lost": "hall: events <>",
    "renumbered": "file: events <[0-9]+:2 >",
    "elsewhere": "file: events <>",
    "event": "before: events",
    "flags": "calm_flags",
}
"""What the self-test can damage, and what `check` must then say."""
