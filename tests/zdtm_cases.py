"""Tests of CRIU's own suite that nobody has built, and what is seen of one that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.suites.zdtm.build import Build, Built
from harness.suites.zdtm.case import Case

NONCE = "3f7d9d3c-0f0e-4a6e-9a35-1d2f6f1a3f10"


def built(name: str = "pipe00", desc: str = "", **changes: Any) -> Built:  # noqa: ANN401
    return Built(
        **{
            "name": name,
            "arguments": (f"--pidfile={name}.pid", f"--outfile={name}.out"),
            "desc": desc,
            "sha256": "0" * 64,
            "hook": None,
            "checkskip": False,
            "files": ("/lib64/ld-linux-x86-64.so.2", "/usr/lib/x86_64-linux-gnu/libc.so.6"),
            "packages": ("libc6",),
            "missing": (),
            **changes,
        }
    )


def build(*tests: Built, directory: Path = Path("/nowhere"), unbuilt: tuple[str, ...] = ()) -> Build:
    return Build(directory, "4.1.1-1", {test.name: test for test in tests}, unbuilt, 1.0)


def case(desc: str = "", flavour: str = "host", **changes: Any) -> Case:  # noqa: ANN401
    test = built(desc=desc, **changes)
    return Case(test, flavour, build(test))


MAPS = [
    "555000-556000 r-xp 00000000 fe:00 1  /work/test/zdtm/static/pipe00",
    "556000-557000 r-xp 00001000 fe:00 1  /work/test/zdtm/static/pipe00",
    "700000-701000 rw-p 00000000 00:00 0 ",
    "7ff000-7ff400 r--p 00000000 00:00 0  [vvar]",
    "7ff400-7ff600 r-xp 00000000 00:00 0  [vdso]",
]
MOUNTS = ["21 1 254:0 /work/test / rw,relatime shared:1 - ext4 /dev/vda rw"]


def look(ids: str = "20003 1", **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    record = {
        "ids": ids,
        "zombie": False,
        "nonce": NONCE,
        "fds": ["0", "1", "2", "5"],
        "maps": list(MAPS),
        "map_files": {"555000-556000": 0o120500},
        "mounts": list(MOUNTS),
    }
    return {"gone": False, "processes": [{**record, **changes}]}
