"""Open files: offsets alone and shared, flags, `O_PATH`, a directory half read, devices, /proc, another root.

Three descriptors share one offset (a duplicate with a high number, a child's); another open file has its own. Modes
`O_APPEND`, `O_SYNC`, `O_DIRECT`, `O_NOATIME`, close-on-exec, an owner with a signal of its own (`F_SETOWN_EX` 2.6.32),
an offset beyond 4 GiB, a symbolic link held by `O_PATH | O_NOFOLLOW`, a directory of which some entries have been
read. A child has another root, working directory and umask.

Leans on /proc/PID/fdinfo (position and flags, 2.6.22), kcmp (3.5) to tell a shared open file from a second one,
F_GETOWNER_UIDS. The position in a directory is ext4's hash of a name: it means the same on another machine
only because both have the same bytes as their root disk.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/files",), sources=("files.c",))

CORRUPTIONS = {
    "offset": "other: byte [0-9]+ of 100 ",
    "twin": "twin: does not move with the reader",
    "reader": "child: its reader does not move with ours",
    "append": "appender: byte|appender_flags",
    "cloexec": "reader_cloexec",
    "owner": "appender: has lost its owner",
    "null": "null: does not swallow bytes|null_device",
    "path": "path: can be read",
    "directory": "directory: entry-[0-9]+ came twice",
    "room": "companion: working directory is /other",
}
"""What the self-test can damage, and what `check` must then say."""
