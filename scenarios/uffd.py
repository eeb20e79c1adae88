"""Memory that another thread fills when it is touched: userfaultfd, as garbage collectors and QEMU use it.

Leans on userfaultfd (4.3). CRIU uses it itself for lazy migration and cannot save another's: no interface tells what an
open userfaultfd was asked for. So the dump is refused, which is this scenario's expected result.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/uffd",),
    sources=("uffd.c",),
    libraries=("-lpthread",),
    needs=Needs(kernel="4.3", config=("CONFIG_USERFAULTFD",)),
    refusal=r"Unsupported file type.*userfaultfd|Can't dump file \d+ of that type .*userfaultfd",
    tags=("trait",),
)

CORRUPTIONS = {
    "byte": "first page: byte 70",
    "unregistered": "second page: byte [0-9]+ ",
}
"""What the self-test can damage, and what `check` must then say."""
