"""The scenarios that exist: their modules, their identity, and the files that a guest needs to run them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from testinfra.host import Host

from harness.cache import Cache, key_of, sha256_of
from harness.errors import ConfigError
from harness.images import Image
from harness.images.workload import compile_workload, local_headers
from harness.migration.site import make_payload
from harness.scenario import Facts, Needs, Scenario, Workload
from harness.witness import assert_steady, assert_unharmed

NAMESPACES = ("CONFIG_PID_NS", "CONFIG_NET_NS", "CONFIG_IPC_NS", "CONFIG_UTS_NS", "CONFIG_CGROUPS")
"""What every container engine asks of a kernel."""


class Subject(Protocol):
    """What the lab asks of a workload, wherever it comes from: a module under `scenarios/`, or a suite of tests."""

    @property
    def name(self) -> str:
        """Its name in cells."""

    @property
    def scenario(self) -> Scenario:
        """Its static part."""

    @property
    def sha256(self) -> str:
        """Changes with everything that it is made of."""

    def ready(self, host: Host, workload: Workload) -> None:
        """Wait until the state to be dumped has been reached."""

    def remember(self, host: Host, workload: Workload) -> Facts:
        """What is true before the dump."""

    def check(self, host: Host, workload: Workload, before: Facts) -> None:
        """Assert that it still is, and that the same process went on."""

    def refused(self, host: Host, workload: Workload, before: Facts) -> None:
        """Assert that a dump which CRIU refused, as expected, has done no harm."""

    def payload(self, image: Image, cache: Cache) -> Path:
        """A tar with its files for one userland."""


@dataclass(frozen=True)
class Reference:
    """A scenario and the module that defines it."""

    name: str
    path: Path
    module: ModuleType

    @property
    def scenario(self) -> Scenario:
        """Its static part."""
        found: Scenario = self.module.SCENARIO
        return found

    @property
    def sources(self) -> tuple[Path, ...]:
        """Its C files."""
        return tuple(self.path.parent / name for name in self.scenario.sources)

    @property
    def inside(self) -> Reference | None:
        """The scenario whose workload runs in this one's container: what this module does not define is that one's."""
        found: Reference | None = getattr(self.module, "INSIDE", None)
        return found

    @property
    def sha256(self) -> str:
        """Changes with the module, every file that it brings, and the modules of the scenarios that it is made from."""
        files = {self.path, *(header for source in self.sources for header in local_headers(source))}
        files |= {self.path.parent / name for name in self.scenario.files}
        files |= {other.path for other in vars(self.module).values() if isinstance(other, Reference)}
        return key_of(files=sorted((path.name, sha256_of(path)) for path in files))

    @property
    def corruptions(self) -> dict[str, str]:
        """What the self-test can damage; name to a regular expression for what `check` must then say."""
        inherited = self.inside.corruptions if self.inside is not None else {}
        return dict(getattr(self.module, "CORRUPTIONS", inherited))

    def ready(self, host: Host, workload: Workload) -> None:
        """Wait until the state to be dumped has been reached. Raises AssertionError if it is not."""
        if own := self._own("ready"):
            own(host, workload)
        else:
            workload.await_ready()

    def remember(self, host: Host, workload: Workload) -> Facts:
        """What is true before the dump."""
        own = self._own("remember")
        facts: Facts = own(host, workload) if own else workload.ask()
        return facts

    def check(self, host: Host, workload: Workload, before: Facts) -> None:
        """Assert that it still is, and that the same process went on."""
        if own := self._own("check"):
            own(host, workload, before)
            return
        after = workload.ask("check")
        assert_unharmed(workload, before, after)
        assert_steady(before, after, self.scenario.moving)

    def refused(self, host: Host, workload: Workload, before: Facts) -> None:
        """Nothing: that CRIU refuses is all that the scenario says."""
        del host, workload, before

    def corrupt(self, host: Host, workload: Workload, what: str) -> None:
        """Damage the state on purpose."""
        if own := self._own("corrupt"):
            own(host, workload, what)
        else:
            workload.ask(f"corrupt {what}")

    def _own(self, name: str) -> Callable[..., Any] | None:
        inherited = self.inside._own(name) if self.inside is not None else None
        return getattr(self.module, name, inherited)

    def payload(self, image: Image, cache: Cache) -> Path:
        """A tar with the workload's programs for one userland. Raises `ImageError` if a source does not compile."""
        files = compile_workload(image, self.sources, self.scenario.libraries, cache)
        for name in self.scenario.files:
            files[Path(name).name] = self.path.parent / name
        key = key_of(files={name: sha256_of(path) for name, path in files.items()})
        return cache.entry("payloads", key, lambda d: make_payload(d / "payload.tar", files)) / "payload.tar"


def contained(scenario: Scenario, engine: str, needs: Needs) -> Scenario:
    """The same workload as the first process of a container; `needs` are the engine's, on top of its own."""
    own = scenario.needs
    return replace(
        scenario,
        engine=engine,
        # the container has one of its own anyhow
        own_network=False,
        tags=("container", *(("network",) if scenario.own_network else ())),
        needs=Needs(
            packages=(*own.packages, *needs.packages),
            config=(*own.config, *NAMESPACES, *needs.config),
            kernel=needs.kernel or own.kernel,
            features=(*own.features, *needs.features),
        ),
    )


def is_scenario(path: Path) -> bool:
    """Whether a Python file below `scenarios/` defines a scenario."""
    return path.suffix == ".py" and not path.name.startswith(("_", "conftest"))


def names(directory: Path) -> list[str]:
    """The names of the scenarios in a directory."""
    return sorted(path.stem for path in directory.glob("*.py") if is_scenario(path))


def load(path: Path) -> Reference:
    """Import one scenario outside pytest. Raises `ConfigError` if the file defines none."""
    name = f"kmatrix_scenarios.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return reference(path, module)


def reference(path: Path, module: ModuleType) -> Reference:
    """A module as a scenario. Raises `ConfigError` naming what it lacks."""
    if not isinstance(getattr(module, "SCENARIO", None), Scenario):
        raise ConfigError(f"{path}: a scenario defines SCENARIO", hint="see docs/scenarios.md")
    return Reference(path.stem, path, module)


def unmet(reference: Subject, image: Image, options: dict[str, str] | None, release: str) -> list[str]:
    """What a kernel and a userland lack for a scenario, in words; empty if nothing.

    `options` are the kernel's configuration symbols without `CONFIG_`, None if its configuration is unknown.
    """
    needs = reference.scenario.needs
    lacking = [f"package {name} in {image.userland}" for name in needs.packages if name not in image.packages]
    if options is not None:
        off = [name for name in needs.config if name.removeprefix("CONFIG_") not in options]
        lacking += [f"{name} in kernel {release}" for name in off]
    if needs.kernel is not None and _version(release) < _version(needs.kernel):
        lacking.append(f"a kernel of {needs.kernel} or later, this is {release}")
    return lacking


def _version(release: str) -> tuple[int, ...]:
    digits: Iterable[str] = release.partition("-")[0].partition("+")[0].split(".")
    return tuple(int(part) for part in digits if part.isdigit())[:3]
