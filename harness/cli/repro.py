"""`kmatrix repro`: one cell again, alone."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import place
from harness.cli.front import require_libvirt
from harness.errors import ConfigError, Exit
from harness.matrix.cell import Cell, Outcome
from harness.report.sanitize import visible

EXITS = {Outcome.FAIL: Exit.BREAKAGE, Outcome.ERROR: Exit.LAB}
"""What does not end with 0; `git bisect run` can use it."""


def repro(
    cell: Annotated[str, typer.Argument(help="For example 'trixie/cold/redis/debian-6.1→debian-6.12'.")],
    shell: Annotated[
        bool, typer.Option("--shell", help="Open a shell in the guest afterwards; reads commands from stdin.")
    ] = False,
    config: Annotated[Path | None, typer.Option(help="Instead of the checkout's kernels.yaml.")] = None,
    criu: Annotated[
        Path | None, typer.Option(help="A CRIU of your own: an installed prefix or a built tree.")
    ] = None,
) -> None:
    """Run one cell again, alone; exit code 1 if it fails."""
    require_libvirt()
    from harness.session.repro import repro as run_again
    from harness.session.selection import Options

    here = place.find()
    options = Options(
        config=config or here.config,
        scenario_directory=here.scenarios,
        criu=criu.absolute() if criu is not None else None,
    )
    outcome = run_again(parse(cell), options, here.reports, typer.echo, typed() if shell else None)
    raise typer.Exit(EXITS.get(outcome, Exit.OK))


def parse(name: str) -> Cell:
    """The cell of that name. Raises `ConfigError` if it is none."""
    try:
        return Cell.parse(name)
    except ValueError as error:
        raise ConfigError(visible(str(error))) from error


def typed() -> Iterable[str]:
    """Lines from stdin, with a prompt if somebody is there to see it."""
    return _prompted() if sys.stdin.isatty() else sys.stdin


def _prompted() -> Iterator[str]:
    while True:
        try:
            yield input("guest# ")
        except EOFError:
            return
