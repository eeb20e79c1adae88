"""The two kernels' configurations, as far as this machine still has them, and in what they differ."""

from __future__ import annotations

import json
from dataclasses import dataclass

from harness.cache import Cache, sha256_of
from harness.kernels.kconfig import MATTERS, read_options
from harness.kernels.kernel import CONFIG, RECORD

_KIND = "kernels"


@dataclass(frozen=True)
class Difference:
    """Two configurations compared."""

    matters: tuple[tuple[str, str, str], ...]
    """Option, value on the good kernel, value on the bad one; only those of `MATTERS`."""
    total: int
    """How many options differ, compiler's and version's own included."""


def find(cache: Cache, sha256: str) -> str | None:
    """The configuration of the kernel with that identity, if the cache still has it, whole."""
    for record in sorted((cache.root / _KIND).glob(f"*/{RECORD}")):
        try:
            said = json.loads(record.read_text("utf-8"))
            wanted = said["files"][CONFIG]["sha256"] if said["sha256"] == sha256 else None
            path = record.with_name(CONFIG)
            if wanted is not None and sha256_of(path) == wanted:
                return path.read_text("utf-8", "replace")
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
        ):  # being made or dropped meanwhile, or no record of ours
            continue
    return None


def compare(good: str, bad: str, more: tuple[str, ...] = ()) -> Difference:
    """In what two configurations differ; `more` are a scenario's own options, `CONFIG_` included."""
    left, right = read_options(good), read_options(bad)
    changed = sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))
    wanted = MATTERS | {name.removeprefix("CONFIG_") for name in more}
    rows = tuple(
        (f"CONFIG_{name}", left.get(name, "n"), right.get(name, "n")) for name in changed if name in wanted
    )
    return Difference(rows, len(changed))
