"""A test's `.desc` file: how CRIU's runner is told to run it. A Python literal, read as one and never run."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

FLAVOURS = {"h": "host", "ns": "ns", "uns": "uns"}
"""The flavours by CRIU's short names: in the runner's own namespaces, in namespaces of its own, in a user namespace
besides."""


@dataclass(frozen=True)
class Desc:
    """What a `.desc` says; without one, the defaults. What is not here only matters to CRIU's runner itself, which
    runs tests side by side, as another user, or with lazy pages."""

    flavours: tuple[str, ...] = tuple(FLAVOURS.values())
    flags: frozenset[str] = frozenset()
    features: tuple[str, ...] = ()
    """What `criu check --feature` must say yes to."""
    options: tuple[str, ...] = ()
    """CRIU's, for dump and restore."""
    dump_options: tuple[str, ...] = ()
    restore_options: tuple[str, ...] = ()
    deps: tuple[str, ...] = ()
    """Programs that a test with a root of its own needs in it; `a|b` is the first that there is."""
    arch: str | None = None
    seconds: float = 30.0
    manual: str | None = field(default=None)
    """Why CRIU's runner would not run it of its own accord; None if it would."""


def parse(text: str) -> Desc:
    """Read a `.desc` file's text. One that is a program (`mnt_ext_dev`) is for runs by hand."""
    if not text.strip():
        return Desc()
    try:
        found = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return Desc(manual="its .desc asks for a block device in the environment")
    flags = frozenset(str(found.get("flags", "")).split())
    return Desc(
        flavours=tuple(FLAVOURS[name] for name in str(found.get("flavor", "h ns uns")).split()),
        flags=flags,
        features=tuple(str(found.get("feature", "")).split()),
        options=joined(str(found.get("opts", ""))),
        dump_options=joined(str(found.get("dopts", ""))),
        restore_options=joined(str(found.get("ropts", ""))),
        deps=tuple(found.get("deps", ())),
        arch=found.get("arch"),
        seconds=float(found.get("timeout", 30)),
        manual="CRIU runs it by hand only (noauto)" if "noauto" in flags else None,
    )


def joined(options: str) -> tuple[str, ...]:
    """Options with their arguments: `--external veth[a]:b` is one, `--external=veth[a]:b`."""
    words: list[str] = []
    for word in options.split():
        if word.startswith("-") or not words:
            words.append(word)
        else:
            words[-1] += f"={word}"
    return tuple(words)
