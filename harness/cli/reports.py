"""`kmatrix show` and `kmatrix report`: what a run left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import place
from harness.errors import ConfigError, HostError
from harness.report import show as evidence
from harness.report.formats import FORMATS, named
from harness.report.rundir import encoded, write_atomically
from harness.report.terminal import WIDTH, wants_colour
from harness.report.write import summarise, write_reports

RUN = "A run's name or folder (default: the newest)."


def show(
    cell: Annotated[str, typer.Argument(help="For example 'trixie/cold/redis/debian-6.1→debian-6.12'.")],
    run: Annotated[str | None, typer.Option(help=RUN)] = None,
) -> None:
    """Show all evidence of one cell."""
    typer.echo(evidence.show(place.find().run(run), cell))


def report(
    run: Annotated[str | None, typer.Argument(help=RUN)] = None,
    against: Annotated[
        str | None, typer.Option(metavar="RUN", help="Say what changed since this run (name or folder).")
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help=f"Write this format to stdout, and no file: {', '.join(FORMATS)}. Several need --output.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="With --format: the file to write; with several, the folder for them.")
    ] = None,
) -> None:
    """Write a run's reports again from its ledger: every format into its folder, or one to stdout."""
    chosen = [named(name) for name in dict.fromkeys(formats or ())]
    if output is not None and not chosen:
        raise ConfigError("--output needs to know what to write", hint="--format NAME")
    if len(chosen) > 1 and output is None:
        raise ConfigError("several formats do not go to one stdout", hint="--output FOLDER")
    here = place.find()
    directory, before = here.run(run), None if against is None else here.run(against)
    if not chosen:
        summary = write_reports(directory, before)
        width = max(WIDTH, shutil.get_terminal_size((WIDTH, 0)).columns) if sys.stdout.isatty() else WIDTH
        typer.echo(summary.text(colour=wants_colour(sys.stdout, os.environ), width=width), nl=False)
        return
    summary = summarise(directory, before)
    if output is None:
        # As bytes: a locale must not decide what a file that is read by machines looks like.
        typer.echo(encoded(summary.render(chosen[0])), nl=False)
        return
    with _told(output):
        if len(chosen) > 1:
            output.mkdir(parents=True, exist_ok=True)
        for one in chosen:
            write_atomically(output / one.file if len(chosen) > 1 else output, summary.render(one))


@contextlib.contextmanager
def _told(output: Path) -> Iterator[None]:
    """What the disk says against a place that the user named, in one line."""
    try:
        yield
    except OSError as error:
        raise HostError(f"cannot write {output}: {error.strerror}") from error
