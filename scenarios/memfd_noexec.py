"""A memory file that can never be made executable: MFD_NOEXEC_SEAL.

Leans on memfd_create's MFD_NOEXEC_SEAL and on F_SEAL_EXEC (6.3). A scenario of its own, because an older kernel knows
neither, and a file that came back without its seal could be made executable and run.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/memfd_seals", "exec"), sources=("memfd_seals.c",), needs=Needs(kernel="6.3")
)

CORRUPTIONS = {
    "byte": "file: byte 100",
    "unsealed": "file: can be made executable",
    "sealed": "seals",
}
"""What the self-test can damage, and what `check` must then say."""
