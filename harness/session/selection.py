"""What a run is to do: the profile, narrowed or replaced by the command line, checked before anything is fetched."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cache import Cache
from harness.config import Config, load, select
from harness.config.models import is_family
from harness.config.selection import split_patterns
from harness.errors import ConfigError
from harness.kernels import resolve
from harness.matrix import workloads
from harness.matrix.cell import Confirm, Isolation
from harness.suites import zdtm

QUICK = "quick"
TAG = "tag:"
"""What a pattern for scenarios begins with that means their tags."""


@dataclass(frozen=True)
class Options:
    """The command line's wishes; None means as the profile or the configuration has it."""

    config: Path
    scenario_directory: Path
    profile: str = QUICK
    kernels: str | None = None
    userlands: str | None = None
    scenarios: str | None = None
    suite: str | None = None
    """A suite of tests instead of the scenarios of this repository."""
    criu: Path | None = None
    jobs: int | None = None
    isolation: Isolation = Isolation.RESET
    confirm: Confirm = Confirm.CELL
    run_dir: Path | None = None
    resume: bool = False
    try_remedies: bool = False


def resumed(options: Options, record: dict[str, Any]) -> Options:
    """The options with which a run began, from its `run.json`; what the command line names goes before it."""
    planned = record["plan"]
    return dataclasses.replace(
        options,
        kernels=options.kernels or ",".join(kernel["label"] for kernel in planned["kernels"]),
        userlands=options.userlands or ",".join(planned["userlands"]),
        scenarios=options.scenarios or ",".join(planned["scenarios"]),
        suite=planned.get("suite"),
        isolation=Isolation(planned["isolation"]),
        confirm=Confirm(planned.get("confirm", Confirm.CELL)),
    )


@dataclass(frozen=True)
class Selection:
    """Names, in the order in which reports show them."""

    config: Config
    userlands: tuple[str, ...]
    kernels: tuple[str, ...]
    scenarios: tuple[str, ...]
    modes: tuple[str, ...]
    suite: zdtm.Suite | None = None
    """Where the scenarios are from, if not from this repository."""


def choose(options: Options, cache: Cache) -> Selection:
    """Resolve names and globs.

    Raises `ConfigError`; `KernelUnavailable` if a `pick: all` cannot be listed.
    """
    config = load(options.config)
    if options.criu is not None:
        config = config.with_criu(options.criu)
    if options.profile not in config.profiles:
        known = ", ".join(config.profiles) or "none"
        raise ConfigError(f"there is no profile {options.profile!r}; there are: {known}")
    if options.jobs is not None and options.jobs < 1:
        raise ConfigError(f"--jobs {options.jobs}: expected a number of 1 or more")
    profile = config.profiles[options.profile]
    wanted = options.kernels or profile.kernels
    labels = [
        label
        for entry, spec in config.kernel_entries(wanted).items()
        for label in (
            [found.label for found in resolve(entry, spec, config.settings, cache)]
            if is_family(spec)
            else [entry]
        )
    ]
    userlands = select(config.userlands, options.userlands or profile.userlands, "userland")
    suite = _suite(options, config, userlands, cache) if options.suite is not None else None
    return Selection(
        config=config,
        userlands=tuple(userlands),
        kernels=tuple(config.select_kernels(labels, wanted)),
        scenarios=tuple(
            suite.select(options.scenarios or "*")
            if suite is not None
            else _scenarios(options.scenario_directory, options.scenarios or profile.scenarios)
        ),
        modes=profile.modes,
        suite=suite,
    )


def _suite(options: Options, config: Config, userlands: list[str], cache: Cache) -> zdtm.Suite:
    """The chosen suite, for the one userland that is chosen. Raises `ConfigError`."""
    if options.suite != zdtm.NAME:
        raise ConfigError(f"there is no suite {options.suite!r}; there is: {zdtm.NAME}")
    if len(userlands) != 1:
        raise ConfigError(
            f"the suite is that of one userland's CRIU, and {', '.join(userlands)} are chosen",
            hint=f"--userlands {userlands[0]}",
        )
    name = userlands[0]
    return zdtm.open_suite(options.scenario_directory, name, config.userlands[name], config.settings, cache)


def _scenarios(directory: Path, patterns: str | Iterable[str]) -> list[str]:
    """Names by glob, and by `tag:GLOB` those that carry such a tag. Raises `ConfigError`."""
    names, wanted = workloads.names(directory), split_patterns(patterns)
    tags = [pattern for pattern in wanted if pattern.startswith(TAG)]
    chosen: set[str] = set()
    if tags:
        tagged = {name: workloads.load(directory / f"{name}.py").scenario.tags for name in names}
        known = sorted({tag for found in tagged.values() for tag in found})
        picked = set(select(known, [pattern.removeprefix(TAG) for pattern in tags], "tag"))
        chosen |= {name for name, found in tagged.items() if picked.intersection(found)}
    if plain := [pattern for pattern in wanted if pattern not in tags]:
        chosen |= set(select(names, plain, "scenario"))
    return [name for name in names if name in chosen] if wanted else select(names, patterns, "scenario")
