"""`kmatrix surface`: the interfaces of each kernel that CRIU leans on, and what differs between two kernels."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import front, place
from harness.cli.run import GLOBS
from harness.cli.trouble import tell
from harness.errors import ConfigError
from harness.report import rundir
from harness.report.surface import differences_text, table
from harness.report.terminal import wants_colour
from harness.report.verdicts import judge
from harness.surface import FOLDER
from harness.surface.diff import compare
from harness.surface.predict import all_predictions
from harness.surface.record import Record, read
from harness.verdict.known import load

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.callback(invoke_without_command=True)
def surface(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="Instead of the checkout's kernels.yaml.")] = None,
    profile: Annotated[str, typer.Option(help="A profile of kernels.yaml.")] = "quick",
    kernels: Annotated[str | None, typer.Option(help=f"Labels: {GLOBS}.")] = None,
    userlands: Annotated[str | None, typer.Option(help=f"Userlands: {GLOBS}.")] = None,
    criu: Annotated[
        Path | None, typer.Option(help="A CRIU of your own: an installed prefix or a built tree.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Guests at once (default: as many as fit).", min=1)] = None,
) -> None:
    """Probe the kernels' interfaces without CRIU, one boot each, or show what differs between two."""
    if context.invoked_subcommand is not None:
        return
    front.require_libvirt()
    # these load libvirt, which may not be there, and testinfra, which pytest must be the first to load in `kmatrix run`
    from harness.session.selection import Options
    from harness.session.survey import survey

    where = place.find()
    options = Options(
        config=config or where.root / place.CONFIG,
        scenario_directory=where.scenarios,
        profile=profile,
        kernels=kernels,
        userlands=userlands,
        criu=criu.absolute() if criu else None,
        jobs=jobs,
    )
    where.reports.mkdir(exist_ok=True)
    records, failures = survey(options, where.reports, lambda line: typer.echo(f"kmatrix: {line}", err=True))
    typer.echo(table(records))
    typer.echo(f"records: {where.reports / FOLDER}")
    for failure in failures:
        tell(failure)
    if failures:
        raise typer.Exit(failures[0].exit_code)


@app.command()
def diff(
    before: Annotated[str, typer.Argument(help="A kernel's label, or the file of its record.")],
    after: Annotated[str, typer.Argument(help="The other one.")],
    run: Annotated[
        str | None, typer.Option(help="A run whose surfaces and cells are looked at (default: the newest).")
    ] = None,
) -> None:
    """Show what appeared, vanished and changed from one kernel to another, and what that foretells."""
    where = place.find()
    folder = _run(where, run)
    first, second = (_record(where, folder, name) for name in (before, after))
    entries = list(load())
    judgements = judge(rundir.load(folder)) if folder is not None else {}
    typer.echo(
        differences_text(
            compare(first, second),
            all_predictions(first, second, entries),
            entries,
            judgements,
            colour=wants_colour(sys.stdout, os.environ),
        ),
        nl=False,
    )


def _run(where: place.Place, name: str | None) -> Path | None:
    """The run that is meant; none is no mistake if none was named."""
    try:
        return where.run(name)
    except ConfigError:
        if name is not None:
            raise
        return None


def _record(where: place.Place, run: Path | None, name: str) -> Record:
    """A record by its file, or by its kernel's label: the run's own, else the one that was probed last."""
    folders = [folder / FOLDER for folder in (run, where.reports) if folder is not None]
    for path in (Path(name), *(folder / f"{name}.json" for folder in folders)):
        if path.is_file():
            return read(path)
    raise ConfigError(f"the surface of {name!r} is not known", hint=f"kmatrix surface --kernels {name}")
