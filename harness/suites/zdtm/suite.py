"""The suite of one userland: which of CRIU's tests the lab runs, and why it leaves the others out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from harness.cache import Cache
from harness.config import Settings, Userland
from harness.errors import ConfigError
from harness.images.root import prepare_root
from harness.suites.zdtm.build import Build, build
from harness.suites.zdtm.case import Case
from harness.suites.zdtm.desc import FLAVOURS

NAME = "zdtm"
_ARCH = "x86_64"


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

    @property
    def tests(self) -> int:
        """How many of CRIU's tests run in at least one flavour."""
        return len({case.test.name for case in self.cases.values()})


def open_suite(directory: Path, name: str, userland: Userland, settings: Settings, cache: Cache) -> Suite:
    """The suite of the userland called `name`, built if the cache lacks it; `directory` holds `zdtm.yaml`.

    Raises `ConfigError`, `KernelUnavailable` if the source cannot be had, `ImageError` if it cannot be built.
    """
    reasons = read_reasons(directory / f"{NAME}.yaml")
    packages = prepare_root(name, userland, settings, cache).packages
    return choose(build(name, userland, packages["criu"], settings, cache), reasons)


def choose(built: Build, reasons: dict[str, str]) -> Suite:
    """What of a build can be run; `reasons` are those that only people can know."""
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
                case = Case(test, flavour, built)
                if (reason := reasons.get(f"{name}.{flavour}")) is not None:
                    left_out[f"{name}.{flavour}"] = reason
                elif flavour != "host" and test.missing:
                    left_out[f"{name}.{flavour}"] = f"the userland lacks {', '.join(test.missing)}"
                else:
                    cases[case.name] = case
    return Suite(built.version, cases, dict(sorted(left_out.items())))


def read_reasons(path: Path) -> dict[str, str]:
    """`zdtm.yaml`: the tests that are left out, and why. Raises `ConfigError` if it is no mapping of names to words."""
    try:
        found = YAML(typ="safe").load(path.read_text())
    except (OSError, YAMLError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    groups = found.get("left_out") if isinstance(found, dict) else None
    if not isinstance(groups, dict) or not all(isinstance(tests, list) for tests in groups.values()):
        raise ConfigError(f"{path}: left_out: expected reasons, each with a list of tests")
    return {str(test): str(reason) for reason, tests in groups.items() for test in tests}
