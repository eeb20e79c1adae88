"""Mappings of files: one deleted, one with a hole, one longer than its file, read-only, from the middle, populated.

The deleted file lives through its descriptor and its mapping, which must stay one file; reading behind a file's last
page must fault until the file grows; a private copy stays beside the file; a shared read-only mapping sees what the
file is given.

Leans on /proc/PID/map_files (3.3) and on CRIU's ghost files: a deleted file's bytes travel in the images.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/filemap",), sources=("filemap.c",))

CORRUPTIONS = {
    "middle": "middle: byte [0-9]+ ",
    "named": "deleted: links: is 1",
    "hole": "holed: the hole is not empty",
    "longer": "short, behind the last page: reading gives signal 0",
    "copy": "copied, its own part",
    "detached": "read_only: does not see",
}
"""What the self-test can damage, and what `check` must then say."""
