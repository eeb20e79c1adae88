"""`kmatrix scenarios`: the reference workloads there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import place

if TYPE_CHECKING:
    from harness.matrix.workloads import Reference
    from harness.scenario import Needs
    from harness.suites.zdtm import Suite


def scenarios(
    suite: Annotated[
        str | None, typer.Option(help="The tests of a suite, and why others are left out: zdtm.")
    ] = None,
    userland: Annotated[
        str | None, typer.Option(help="Whose CRIU's suite (default: the quick profile's userland).")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Instead of the checkout's kernels.yaml.")] = None,
) -> None:
    """List the scenarios."""
    if suite is not None:
        for told in suite_lines(_open(suite, userland, config)):
            typer.echo(told)
        return
    # Imports libvirt, without which the other commands, and first of all `doctor`, still work.
    from harness.matrix import workloads

    directory = place.find().scenarios
    for name in workloads.names(directory):
        typer.echo(line(workloads.load(directory / f"{name}.py")))


def suite_lines(suite: Suite) -> list[str]:
    """The suite's scenarios, and below them what is left out and why."""
    return [
        *(f"{name:<40}{_needing(case.scenario.needs)}".rstrip() for name, case in suite.cases.items()),
        *(f"{name:<40}left out: {reason}" for name, reason in suite.left_out.items()),
        f"{suite.tests} tests of CRIU {suite.version} in {len(suite.cases)} scenarios",
    ]


def _open(suite: str, userland: str | None, config: Path | None) -> Suite:
    from harness.cache import Cache
    from harness.session.selection import Options, choose

    here = place.find()
    options = Options(
        config=config or here.config,
        scenario_directory=here.scenarios,
        userlands=userland,
        suite=suite,
    )
    found = choose(options, Cache()).suite
    assert found is not None
    return found


def line(reference: Reference) -> str:
    """A scenario in one line: its name, what its docstring says first, its tags, its needs."""
    scenario = reference.scenario
    said = (reference.module.__doc__ or "").strip().partition("\n")[0]
    return f"{reference.name:<12}{said}  [{', '.join(scenario.tags)}]{_needing(scenario.needs)}"


def _needing(needs: Needs) -> str:
    wanted = [*needs.packages, *needs.config, *([f"kernel {needs.kernel}"] if needs.kernel else [])]
    wanted += [f"criu feature {name}" for name in needs.features]
    return f"  needs {', '.join(wanted)}" if wanted else ""
