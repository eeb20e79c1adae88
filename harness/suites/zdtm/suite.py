"""The suite of one userland: which of CRIU's tests the lab runs, and why it leaves the others out."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from harness.cache import Cache
from harness.config import Settings, Userland
from harness.config.selection import select, split_patterns
from harness.errors import ConfigError
from harness.images.root import prepare_root
from harness.suites.zdtm.build import Build, build
from harness.suites.zdtm.case import Case
from harness.suites.zdtm.desc import FLAVOURS

NAME = "zdtm"
_ARCH = "x86_64"
_KEYS = ("left_out", "sysctls", "asks_restore", "restless", "rehearsed", "refusals")
"""Of `zdtm.yaml`: each maps words to the tests that they are about."""


@dataclass(frozen=True)
class Suite:
    """CRIU's tests as scenarios."""

    version: str
    """Of CRIU's source package."""
    cases: dict[str, Case]
    left_out: dict[str, str]
    """Tests that are not run, or not in a flavour (`mnt_ext_root`, `pty04.ns`), and why."""

    @property
    def names(self) -> list[str]:
        """Of the scenarios, in order."""
        return list(self.cases)

    def select(self, patterns: str) -> list[str]:
        """The scenarios that any of the comma separated globs matches. Raises `ConfigError`, not naming all of them."""
        lost = [glob for glob in split_patterns(patterns) if not fnmatch.filter(self.cases, glob)]
        if lost:
            raise ConfigError(
                f"no test of CRIU {self.version} that is run here matches {', '.join(lost)}",
                hint=f"kmatrix scenarios --suite {NAME} lists them, and why others are left out",
            )
        return select(self.cases, patterns, "test")

    @property
    def tests(self) -> int:
        """How many of CRIU's tests run in at least one flavour."""
        return len({case.test.name for case in self.cases.values()})


@dataclass(frozen=True)
class Notes:
    """`zdtm.yaml`: what only people can know of the tests. Each is by a test's name."""

    left_out: dict[str, str] = field(default_factory=dict)
    """Why it is not run; `test.flavour` is only that one."""
    sysctls: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What a kernel must have set."""
    asks_restore: frozenset[str] = frozenset()
    """Tests that can only pass after a restore, and do not say so."""
    restless: frozenset[str] = frozenset()
    """Tests that map memory when they like."""
    rehearsed: frozenset[str] = frozenset()
    """Tests that are started and killed where they are to be restored, for what they make outside of themselves."""
    refusals: dict[str, str] = field(default_factory=dict)
    """How a CRIU that was built without something refuses them."""


def open_suite(directory: Path, name: str, userland: Userland, settings: Settings, cache: Cache) -> Suite:
    """The suite of the userland called `name`, built if the cache lacks it; `directory` holds `zdtm.yaml`.

    Raises `ConfigError`, `KernelUnavailable` if the source cannot be had, `ImageError` if it cannot be built.
    """
    notes = read_notes(directory / f"{NAME}.yaml")
    packages = prepare_root(name, userland, settings, cache).packages
    return choose(build(name, userland, packages["criu"], settings, cache), notes)


def choose(built: Build, notes: Notes) -> Suite:
    """What of a build can be run, and why the rest cannot."""
    reasons = notes.left_out
    cases: dict[str, Case] = {}
    left_out = dict.fromkeys(built.unbuilt, f"does not compile in the userland of CRIU {built.version}")
    for name, test in sorted(built.tests.items()):
        desc = test.description
        if desc.arch is not None and _ARCH not in desc.arch.split():
            left_out[name] = f"is for {desc.arch}"
        elif desc.manual is not None:
            left_out[name] = desc.manual
        elif name in reasons:
            left_out[name] = reasons[name]
        else:
            for flavour in (known for known in FLAVOURS.values() if known in desc.flavours):
                case = Case(
                    test,
                    flavour,
                    built,
                    sysctls=notes.sysctls.get(name, ()),
                    told_by_restore=name in notes.asks_restore,
                    restless=name in notes.restless,
                    rehearsed=name in notes.rehearsed,
                    refusal=notes.refusals.get(name),
                )
                if (reason := reasons.get(f"{name}.{flavour}")) is not None:
                    left_out[f"{name}.{flavour}"] = reason
                elif flavour != "host" and test.missing:
                    left_out[f"{name}.{flavour}"] = f"the userland lacks {', '.join(test.missing)}"
                else:
                    cases[case.name] = case
    return Suite(built.version, cases, dict(sorted(left_out.items())))


def read_notes(path: Path) -> Notes:
    """Read `zdtm.yaml`. Raises `ConfigError` if it is not as `_KEYS` says."""
    try:
        found = YAML(typ="safe").load(path.read_text())
    except (OSError, YAMLError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict) or set(found) - set(_KEYS):
        raise ConfigError(f"{path}: expected {', '.join(_KEYS)} and nothing else")
    for key in _KEYS:
        groups = found.setdefault(key, {})
        if not isinstance(groups, dict) or not all(isinstance(tests, list) for tests in groups.values()):
            raise ConfigError(f"{path}: {key}: expected words, each with a list of tests")
    left_out, sysctls, asks_restore, restless, rehearsed, refusals = (
        {str(test): str(words) for words, tests in found[key].items() for test in tests} for key in _KEYS
    )
    for words in refusals.values():
        try:
            re.compile(words)
        except re.error as error:
            raise ConfigError(f"{path}: refusals: {words!r} is no regular expression: {error}") from error
    return Notes(
        left_out=left_out,
        sysctls={test: tuple(words.split()) for test, words in sysctls.items()},
        asks_restore=frozenset(asks_restore),
        restless=frozenset(restless),
        rehearsed=frozenset(rehearsed),
        refusals=refusals,
    )
