"""`kmatrix` itself: its commands put together, and how it ends when one of them cannot go on."""

from __future__ import annotations

import io
import logging
import sys
from typing import Annotated

import typer

import harness
from harness.cli import doctor, kernels, publish, reports, repro, run, scenarios, surface, upstream
from harness.cli.trouble import tell, tell_bug
from harness.errors import HarnessError

# Plain help and errors: they read the same in a log, and a usage error is one line after the usage.
app = typer.Typer(
    name="kmatrix",
    help="If a process is checkpointed with CRIU on kernel A, does it come back whole on kernel B?",
    epilog="Exit codes: 0 the lab worked, 1 breakage (with --fail-on), 2 wrong usage or configuration, 6 the lab is "
    "broken, 130 interrupted.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("run")(run.run)
app.command("doctor")(doctor.doctor)
app.command("kernels")(kernels.kernels)
app.command("scenarios")(scenarios.scenarios)
app.command("show")(reports.show)
app.command("repro")(repro.repro)
app.command("report")(reports.report)
app.command("publish")(publish.publish)
app.command("serve")(publish.serve)
app.command("upstream")(upstream.upstream)
app.add_typer(surface.app, name="surface")

DEBUG = "--debug"


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kmatrix {harness.__version__}")
        raise typer.Exit


@app.callback()
def kmatrix(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option(DEBUG, help="Tell every step, and show tracebacks.")] = False,
) -> None:
    """What every command has in common."""
    del version
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.WARNING, format="kmatrix: %(message)s", stream=sys.stderr
    )


def main() -> None:
    """The program. Never returns; no lab error shows a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a locale without the matrix's glyphs
    debug = DEBUG in sys.argv
    try:
        app()
    except HarnessError as error:
        sys.exit(tell(error, debug=debug))
    except Exception as error:  # noqa: BLE001  a bug must not end with 1, which means breakage
        sys.exit(tell_bug(error, debug=debug))
