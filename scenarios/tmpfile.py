"""Files of O_TMPFILE (3.11): contents, offset, and whether they can still be given a name with linkat.

That is what O_TMPFILE is for: write first, name it when it is whole. CRIU restores such a file as a ghost, created
with a name and unlinked; the kernel lets no file be linked again whose last name was removed, so linkat fails with
ENOENT afterwards. The bytes survive, the promise does not. A file of O_TMPFILE | O_EXCL must stay nameless.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/tmpfile",), sources=("tmpfile.c",), needs=Needs(kernel="3.11"), tags=("trait",)
)

CORRUPTIONS = {
    "byte": "free: byte 60[01]",
    "named": "free_links",
    "unlinked": "free: cannot be given a name",
    "exclusive": "kept: can be given a name",
}
"""What the self-test can damage, and what `check` must then say."""
