"""Names picked by comma separated globs, on the command line and in profiles."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase

from harness.errors import ConfigError

GLOB_CHARACTERS = "*?["


def is_glob(text: str) -> bool:
    """Whether `text` can match more than itself."""
    return any(character in text for character in GLOB_CHARACTERS)


def split_patterns(patterns: str | Iterable[str]) -> tuple[str, ...]:
    """The single globs in a comma separated list, or in several of them."""
    parts = [patterns] if isinstance(patterns, str) else patterns
    return tuple(glob for part in parts for glob in (piece.strip() for piece in part.split(",")) if glob)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` for the name that `name` was probably meant to be, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def select(names: Iterable[str], patterns: str | Iterable[str], what: str) -> list[str]:
    """The `names` that any of the comma separated globs matches, in the order of `names`.

    `what` is the noun for the message, e.g. `kernel`. Raises `ConfigError`, naming every pattern that matches
    nothing and all the names there are.
    """
    known = list(dict.fromkeys(names))
    globs = split_patterns(patterns)
    there_are = f"there are: {', '.join(known) or 'none'}"
    if not globs:
        raise ConfigError(f"no {what} named; {there_are}")
    lost = [glob for glob in globs if not any(fnmatchcase(name, glob) for name in known)]
    if lost:
        missing = "\n".join(f"no {what} matches {glob!r}{did_you_mean(glob, known)}" for glob in lost)
        raise ConfigError(f"{missing}\n{there_are}")
    return [name for name in known if any(fnmatchcase(name, glob) for glob in globs)]


def may_match_below(label: str, glob: str) -> bool:
    """Whether `glob` can match some `<label>-<release>`, the name of a kernel of a `pick: all` entry."""
    stem = f"{label}-"
    cut = min((glob.index(character) for character in GLOB_CHARACTERS if character in glob), default=None)
    if cut is None:
        return glob.startswith(stem) and glob != stem
    literal = glob[:cut]
    return literal.startswith(stem) or stem.startswith(literal)
