"""`kmatrix scenarios`: the reference workloads there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from harness.cli import place

if TYPE_CHECKING:
    from harness.matrix.workloads import Reference


def scenarios() -> None:
    """List the scenarios."""
    # Imports libvirt, without which the other commands, and first of all `doctor`, still work.
    from harness.matrix import workloads

    directory = place.find().scenarios
    for name in workloads.names(directory):
        typer.echo(line(workloads.load(directory / f"{name}.py")))


def line(reference: Reference) -> str:
    """A scenario in one line: its name, what its docstring says first, its tags, its needs."""
    scenario, needs = reference.scenario, reference.scenario.needs
    said = (reference.module.__doc__ or "").strip().partition("\n")[0]
    wanted = [*needs.packages, *needs.config, *([f"kernel {needs.kernel}"] if needs.kernel else [])]
    wanted += [f"criu feature {name}" for name in needs.features]
    needing = f"  needs {', '.join(wanted)}" if wanted else ""
    return f"{reference.name:<12}{said}  [{', '.join(scenario.tags)}]{needing}"
