"""`kmatrix show` and `kmatrix report`: what a run left behind."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Annotated

import typer

from harness.cli import place
from harness.report import show as evidence
from harness.report.terminal import WIDTH, wants_colour
from harness.report.write import write_reports

RUN = "A run's name or folder (default: the newest)."


def show(
    cell: Annotated[str, typer.Argument(help="For example 'trixie/cold/redis/debian-6.1→debian-6.12'.")],
    run: Annotated[str | None, typer.Option(help=RUN)] = None,
) -> None:
    """Show all evidence of one cell."""
    typer.echo(evidence.show(place.find().run(run), cell))


def report(run: Annotated[str | None, typer.Argument(help=RUN)] = None) -> None:
    """Write a run's reports again from its ledger."""
    summary = write_reports(place.find().run(run))
    width = max(WIDTH, shutil.get_terminal_size((WIDTH, 0)).columns) if sys.stdout.isatty() else WIDTH
    typer.echo(summary.text(colour=wants_colour(sys.stdout, os.environ), width=width), nl=False)
