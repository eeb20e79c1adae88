"""`kmatrix upstream`: drafts of reports for the kernel's and CRIU's developers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cache import Cache
from harness.cli import place
from harness.cli.front import require_libvirt
from harness.cli.reports import RUN


def upstream(
    what: Annotated[
        str,
        typer.Argument(
            metavar="CELL|SIGNATURE",
            help="A cell, a signature (or a part that only one has), or the name of a known breakage.",
        ),
    ],
    run: Annotated[str | None, typer.Option(help=RUN)] = None,
    force: Annotated[bool, typer.Option("--force", help="Write it even if it would be noise.")] = False,
    kernel_tree: Annotated[
        Path | None, typer.Option(help="A kernel source tree, whose get_maintainer.pl is asked.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The drafts' folder (default: upstream/CELL in the run's folder).")
    ] = None,
) -> None:
    """Write drafts of a mail, an issue and a reproducer; nothing is sent."""
    require_libvirt()  # a scenario's source is found by loading the scenario
    from harness.upstream.draft import Request, write

    here = place.find()
    request = Request(here.run(run), what, here.scenarios, Cache(), force, kernel_tree, output)
    typer.echo(write(request).text())
