"""What one part of `kernels.yaml` says about another.

These checks read the plain data and pass over what is of the wrong type, so that they find their mistakes
even where the models find others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase

from harness.config.document import Document, Key, Mistake
from harness.config.selection import did_you_mean, may_match_below


def found_between_parts(document: Document) -> list[Mistake]:
    """Snapshots without a mirror, profiles that name what is not there, labels that would be ambiguous."""
    found = [*_snapshots(document), *_profiles(document), *_families(document)]
    return [Mistake(document.line(key), key, text) for key, text in found]


def _section(document: Document, name: str) -> dict[str, object]:
    data = document.data
    section = data.get(name) if isinstance(data, dict) else None
    return section if isinstance(section, dict) else {}


def _entries(section: dict[str, object]) -> Iterator[tuple[str, dict[str, object]]]:
    return ((name, entry) for name, entry in section.items() if isinstance(entry, dict))


def _family_labels(kernels: dict[str, object]) -> list[str]:
    return [label for label, entry in _entries(kernels) if entry.get("pick") == "all"]


def _snapshots(document: Document) -> Iterator[tuple[Key, str]]:
    if _section(document, "settings").get("snapshot_mirror") is not None:
        return
    for label, entry in _entries(_section(document, "kernels")):
        if entry.get("snapshot") is not None:
            yield (
                ("kernels", label, "snapshot"),
                "there is no mirror to take the snapshot from; expected its URL in settings.snapshot_mirror",
            )


def _families(document: Document) -> Iterator[tuple[Key, str]]:
    """`pick: all` names its kernels `<label>-<release>`; another label must not look like one of them."""
    kernels = _section(document, "kernels")
    for family in _family_labels(kernels):
        for label in kernels:
            if label.startswith(f"{family}-"):
                yield (
                    ("kernels", label),
                    f"looks like one of the kernels that {family!r} (pick: all) stands for; "
                    f"expected a label that does not begin with {family + '-'!r}",
                )


def _profiles(document: Document) -> Iterator[tuple[Key, str]]:
    kernels = _section(document, "kernels")
    families = _family_labels(kernels)
    userlands = _section(document, "userlands")

    def is_kernel(glob: str) -> bool:
        return _any_matches(kernels, glob) or any(may_match_below(family, glob) for family in families)

    def is_userland(glob: str) -> bool:
        return _any_matches(userlands, glob)

    for name, entry in _entries(_section(document, "profiles")):
        key = ("profiles", name)
        yield from _lost((*key, "userlands"), entry.get("userlands"), userlands, is_userland, "userland")
        yield from _lost((*key, "kernels"), entry.get("kernels"), kernels, is_kernel, "kernel")


def _any_matches(names: Iterable[str], glob: str) -> bool:
    return any(fnmatchcase(name, glob) for name in names)


def _lost(
    key: Key, value: object, known: Iterable[str], is_known: Callable[[str], bool], what: str
) -> Iterator[tuple[Key, str]]:
    """The globs in a profile's list that name nothing."""
    items = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    names = list(known)
    for index, glob in enumerate(items):
        if isinstance(glob, str) and glob.strip() and not is_known(glob):
            here = key if isinstance(value, str) else (*key, index)
            there_are = ", ".join(names) or "none"
            yield here, f"{glob!r} matches no {what}{did_you_mean(glob, names)}; expected one of: {there_are}"
