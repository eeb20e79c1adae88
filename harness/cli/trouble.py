"""How trouble is told: one clear line, a line with what mends it, and the exit code."""

from __future__ import annotations

import sys
import tempfile
import traceback
from pathlib import Path

import typer

from harness.errors import Exit, HarnessError
from harness.report.sanitize import visible, visible_lines


def tell(error: HarnessError, *, debug: bool = False) -> Exit:
    """Print an error of the lab and its hint on stderr; return the exit code for it."""
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    first, *more = visible_lines(str(error))
    typer.echo(f"kmatrix: {first}", err=True)
    for line in more:
        typer.echo(f"kmatrix: {line}", err=True)
    for line in visible_lines(error.hint) if error.hint else ():
        typer.echo(f"  hint: {line}", err=True)
    return error.exit_code


def tell_bug(error: Exception, *, debug: bool = False) -> Exit:
    """Print one line about an error that nobody foresaw, and where its traceback is; return the exit code for it."""
    typer.echo(f"kmatrix: a bug in kmatrix: {type(error).__name__}: {visible(str(error))}", err=True)
    where = None if debug else _keep(error)
    if where is None:
        traceback.print_exception(error, file=sys.stderr)
    else:
        typer.echo(f"  hint: the traceback is in {where}", err=True)
    return Exit.LAB


def _keep(error: Exception) -> Path | None:
    """The traceback in a file of its own; None if no file can be written."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="kmatrix-bug-", suffix=".txt", delete=False, errors="backslashreplace"
        ) as file:
            traceback.print_exception(error, file=file)
    except OSError:
        return None
    return Path(file.name)
