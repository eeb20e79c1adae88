"""Open files whose names are gone: no name left, a name elsewhere, a new file under the old name; removed directories.

A nameless file opened twice, with owner, mode and time of its own; one mapped while a new file has its name; a sparse
one of 64 MiB that holds eight blocks; a file whose first name is gone and whose second stays; a descriptor of a
removed directory, and a child that stands in another.

CRIU calls a nameless file a ghost and keeps its bytes in the images, up to `--ghost-limit` (1 MiB by default,
`ghost_limit` asks what happens above), and leaves out its holes. A file with a name elsewhere gets a helping
name beside it on dump (`--link-remap`), which travels with the directory and must be gone after the restore. Leans on
/proc/PID/fd saying ` (deleted)`, `AT_SYMLINK_FOLLOW` with linkat (2.6.18), SEEK_DATA and SEEK_HOLE (3.1).
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/unlinked",), sources=("unlinked.c",), criu=("--link-remap",))

CORRUPTIONS = {
    "byte": "ghost: byte 5000[01]",
    "twofold": "ghost: has become two files",
    "named": "'room'|linked_links",
    "copied": "linked: has become two files",
    "newcomer": "newcomer: has another size",
    "filled": "sparse: its holes are filled",
    "directory": "directory: has a name",
    "map": "its map and its descriptor have become two files",
}
"""What the self-test can damage, and what `check` must then say."""
