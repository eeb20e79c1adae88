"""`python -m benchmarks`: the figures that the README shows, as a table and as JSON."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from tabulate import tabulate

from benchmarks.measure import Measured, restores, run, wall, without_boots
from benchmarks.results import write_down

_SMALL = ("--kernels", "debian-6.1,debian-6.12", "--scenarios", "threads,pipes")
_PAIR = ("--kernels", "debian-6.1,debian-6.12")

Row = tuple[str, float, str, str]
HEAD = ("what", "figure", "unit", "goal")


def main() -> None:
    """Measure everything; the cache is warmed by a run that does not count."""
    with tempfile.TemporaryDirectory(prefix="kmatrix-bench-") as name:
        base = Path(name)
        run(base / "warm", "--profile", "quick", "-k", "baseline and threads")
        rows = [*_quick(run(base / "quick", "--profile", "quick")), *_isolation(base), *_slots(base)]
    print(tabulate(rows, headers=HEAD, floatfmt=".2f"))
    write_down(HEAD, rows)


def _quick(quick: Measured) -> list[Row]:
    cells = without_boots(restores(quick.attempts))
    spent = statistics.fmean(wall(a) for a in cells)
    inside = statistics.fmean(a.seconds["guest"] for a in cells)
    return [
        ("quick profile, start to report", quick.seconds, "s", "240 or less"),
        ("a restore cell, wall, reset", spent, "s", ""),
        ("  of it CRIU and checks in the guest", inside, "s", ""),
        ("  wall / guest", spent / inside, "x", "2 or less"),
        ("harness process, most", quick.harness_bytes / 2**20, "MiB", "under 200"),
        ("QEMU of a 512 MiB guest, most", max(quick.guest_bytes) / 2**20, "MiB", ""),
    ]


def _isolation(base: Path) -> list[Row]:
    reset = run(base / "reset", *_SMALL, "--jobs", "1", "--isolation", "reset")
    boot = run(base / "boot", *_SMALL, "--jobs", "1", "--isolation", "boot")
    a_reset = statistics.fmean(wall(a) for a in without_boots(restores(reset.attempts)))
    a_boot = statistics.fmean(wall(a) for a in restores(boot.attempts))
    return [
        ("a restore cell, --isolation reset", a_reset, "s", ""),
        ("a restore cell, --isolation boot", a_boot, "s", ""),
        ("  boot / reset", a_boot / a_reset, "x", "4 or more"),
    ]


def _slots(base: Path) -> list[Row]:
    one = run(base / "one", *_PAIR, "--jobs", "1")
    two = run(base / "two", *_PAIR, "--jobs", "2")
    return [
        ("2 kernels, 6 scenarios, 1 slot", one.seconds, "s", ""),
        ("2 kernels, 6 scenarios, 2 slots", two.seconds, "s", ""),
        ("  1 slot / 2 slots", one.seconds / two.seconds, "x", "1.7 or more"),
    ]


if __name__ == "__main__":
    main()
