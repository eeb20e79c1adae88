"""An inotify watch on a symbolic link itself (IN_DONT_FOLLOW).

CRIU tries the path that it finds by the watched inode's handle, follows the link, and sees another inode: dump.log
says `openable (inode don't match)`. The image then has a handle and no path, and a handle means nothing on another
machine's disk: the restore ends with `Unable to open (null)`. All else as in `inotify`.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/inotify", "link"),
    sources=("inotify.c",),
    needs=Needs(config=("CONFIG_INOTIFY_USER", "CONFIG_FHANDLE")),
    tags=("trait",),
)

CORRUPTIONS = {
    "link": "link: events <>",
    "lost": "hall: events <>",
}
"""What the self-test can damage, and what `check` must then say."""
