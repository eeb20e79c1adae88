"""inotify watches with IN_ONESHOT, which ends after one event, and IN_EXCL_UNLINK (2.6.36).

CRIU has both in its image and takes them out on restore: `filter event mask 0x40003c0 -> 0x3c0` in restore.log. The
watch that was to end after one event goes on for ever, the other reports files that have no name any more. All else
as in `inotify`.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/inotify", "flags"),
    sources=("inotify.c",),
    needs=Needs(config=("CONFIG_INOTIFY_USER", "CONFIG_FHANDLE")),
    tags=("trait",),
)

CORRUPTIONS = {
    "oneshot": "hall: events",
    "unlinked": "'busy'",
}
"""What the self-test can damage, and what `check` must then say."""
