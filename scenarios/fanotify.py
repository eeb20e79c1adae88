"""fanotify: marks on a file, on a directory's children, an ignored file, and on a whole mount, in two groups.

After the move each mark must give its own events with descriptors of the flags that were asked for, and no others.

Leans on fanotify lines in /proc/PID/fdinfo (3.8) and on file handles (CONFIG_FHANDLE) to find a marked inode's path;
an inode number means nothing on another machine. Queued events are lost as inotify's are (`inotify_queue`).
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/fanotify",),
    sources=("fanotify.c",),
    needs=Needs(config=("CONFIG_FANOTIFY", "CONFIG_FHANDLE")),
)

CORRUPTIONS = {
    "lost": "file: events 0",
    "mask": "file: events 2a",
    "ignored": "ignored: events 10",
    "mount": "file, by its mount: events 0",
    "elsewhere": "file: events 0",
    "flags": "an event's descriptor has other flags",
}
"""What the self-test can damage, and what `check` must then say."""
