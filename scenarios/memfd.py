"""Files that are memory: one mapped twice and open thrice, one shared with a child, two of them sealed.

The first has a duplicate, a second opening that reads only, and two mappings that must see each other; the second
has every seal, the third one of them, a hole and a private copy; the fourth is held by mappings alone.

Leans on memfd_create and F_GET_SEALS (3.17), /proc/PID/map_files (3.3), kcmp (3.5) to find that descriptors are one.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(command=("bin/memfd",), sources=("memfd.c",), needs=Needs(kernel="3.17"))

CORRUPTIONS = {
    "byte": "plain: byte 4000",
    "unsealed": "frozen: can be written to",
    "twin": "the offset, moved by the twin",
    "mapping": "one mapping does not see",
    "copy": "growing, its copy: byte",
    "mode": "plain_mode",
    "talk": "the child does not answer",
}
"""What the self-test can damage, and what `check` must then say."""
