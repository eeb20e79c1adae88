"""A directory opened with O_DIRECTORY: the flag that F_GETFL and /proc/PID/fdinfo show.

CRIU loses it. Before it opens a file on restore it takes O_TMPFILE out of the flags (criu/files-reg.c), and O_TMPFILE
(3.11) contains the bit of O_DIRECTORY. A program that asks F_GETFL whether a descriptor is a directory's gets another
answer than before. `files` holds all else about directories.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/directory_flag",), sources=("directory_flag.c",), tags=("trait",))

CORRUPTIONS = {
    "flag": "lost O_DIRECTORY",
    "gained": "gained O_DIRECTORY",
    "other": "what is in the directory is not found",
}
"""What the self-test can damage, and what `check` must then say."""
