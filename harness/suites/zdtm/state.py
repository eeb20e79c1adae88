"""What a test's processes look like from outside, before and after: the proof that they are the same ones.

A ZDTM test judges its own state and prints PASS, and so would one that was started anew. So every process is known by
a nonce in its environment, which is made when the test starts and is nowhere but in memory. Descriptors, mappings and
mounts are compared as CRIU's own runner does, in every flavour.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.scenario import Facts

_KERNEL_OWN = ("[vdso]", "[vvar]", "[vvar_vclock]", "[vsyscall]")
"""Mappings that the kernel makes. Another kernel has others, and CRIU keeps the old vDSO code in its place."""
_MOUNT = re.compile(
    r"^\S+ \S+ \S+ (?P<root>\S+) (?P<point>\S+) (?P<options>\S+) (?P<tags>.*?)- (?P<type>\S+) "
)

Area = tuple[int, int, str]
"""Start, end, permissions."""


@dataclass(frozen=True)
class Process:
    """One process of a test."""

    nonce: str
    descriptors: frozenset[str]
    areas: frozenset[Area]
    kernels_own: tuple[tuple[int, int], ...]
    mounts: tuple[str, ...]


def processes(facts: Facts, *, own_namespaces: bool) -> dict[str, Process]:
    """The processes in what `eye look` said, by their pids in every pid namespace that is the test's."""
    found = {}
    for record in facts["processes"]:
        ids = record["ids"].split()
        # the outermost pid of a tree with a pid namespace of its own is free to change
        name = "/".join(ids[1:] if own_namespaces else ids)
        if record["zombie"]:
            found[name] = Process("zombie", frozenset(), frozenset(), (), ())
            continue
        areas, own = _areas(record["maps"], record["map_files"])
        mounts = tuple(sorted(_mount(line) for line in record["mounts"])) if own_namespaces else ()
        found[name] = Process(record["nonce"], frozenset(record["fds"]), areas, own, mounts)
    return found


def assert_marked(found: Mapping[str, Process]) -> None:
    """Assert that at least the first process, the tree's root, has its nonce. Raises AssertionError."""
    assert found, "the test has no process"
    root = next(iter(found.values()))
    assert root.nonce not in ("", "zombie"), "the test's first process has no nonce: it cannot be known again"


def assert_same(
    before: Mapping[str, Process], after: Mapping[str, Process], *, mappings: bool = True
) -> None:
    """Assert that the same processes go on, with what they had. Raises AssertionError naming what differs."""
    assert set(after) == set(before), (
        f"other processes: lost {_less(before, after)}, new {_less(after, before)}"
    )
    for name, old in before.items():
        new = after[name]
        assert new.nonce == old.nonce, (
            f"process {name} is another one: its nonce in memory is not the old one"
        )
        lost, gained = old.descriptors - new.descriptors, new.descriptors - old.descriptors
        assert not lost | gained, f"process {name}: descriptors lost {_said(lost)}, new {_said(gained)}"
        if mappings:
            _assert_areas(name, old, new)
        assert new.mounts == old.mounts, (
            f"process {name}: mounts lost {_said(set(old.mounts) - set(new.mounts))}, "
            f"new {_said(set(new.mounts) - set(old.mounts))}"
        )


def _assert_areas(name: str, old: Process, new: Process) -> None:
    lost = {_range(area) for area in old.areas - new.areas}
    gained = {
        _range(area)
        for area in new.areas - old.areas
        if not _within(area, (*old.kernels_own, *new.kernels_own))
    }
    assert not lost | gained, f"process {name}: mappings lost {_said(lost)}, new {_said(gained)}"


def _within(area: Area, ranges: Sequence[tuple[int, int]]) -> bool:
    return any(start <= area[0] and area[1] <= end for start, end in ranges)


def _areas(
    lines: Sequence[str], modes: Mapping[str, int]
) -> tuple[frozenset[Area], tuple[tuple[int, int], ...]]:
    """Neighbours of one kind are one area: the kernel may merge and split them as it likes."""
    areas: list[Area] = []
    own: list[tuple[int, int]] = []
    for line in lines:
        words = line.split(maxsplit=5)
        where, permissions = words[0], words[1]
        start, end = (int(number, 16) for number in where.split("-"))
        if len(words) == 6 and words[5] in _KERNEL_OWN:
            own.append((start, end))
            continue
        kind = f"{permissions} {modes[where]:o}" if where in modes else permissions
        if areas and areas[-1][1] == start and areas[-1][2].split()[0] == permissions:
            areas[-1] = (areas[-1][0], end, areas[-1][2])
        else:
            areas.append((start, end, kind))
    return frozenset(areas), tuple(own)


def _mount(line: str) -> str:
    match = _MOUNT.match(line)
    if match is None:
        return line
    shared = "shared" if "shared:" in match["tags"] else "-"
    slave = "master" if "master:" in match["tags"] else "-"
    return f"{match['root']} {match['point']} {match['options']} {shared} {slave} {match['type']}"


def _range(area: Area) -> str:
    return f"{area[0]:x}-{area[1]:x} {area[2]}"


def _less(some: Mapping[str, Any], others: Mapping[str, Any]) -> str:
    return _said(set(some) - set(others))


def _said(names: set[str] | frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "none"
