"""inotify: two instances, watches on a file, directories and a symbolic link, with masks and numbers of their own.

One number has been used and given up; one watch is for a single event (IN_ONESHOT); two instances watch one file.
After the move the queues must be empty, and each event that the check causes must come once, from the right watch,
under its old number.

CRIU finds a watched inode by its file handle (open_by_handle_at 2.6.39, fdinfo's `fhandle` 3.8) and keeps the path
that it has then; an inode number means nothing on another machine. The number is set by INOTIFY_IOC_SETNEXTWD (4.16),
before by adding and removing watches. Queued events are lost: `inotify_queue` says so.
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
    "lost": "link: events <>",
    "renumbered": "file: events <6:2 >",
    "elsewhere": "file: events <>",
    "oneshot": "hall: events",
    "event": "before: events",
    "flags": "calm_flags",
}
"""What the self-test can damage, and what `check` must then say."""
