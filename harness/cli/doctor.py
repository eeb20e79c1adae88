"""`kmatrix doctor`: whether the lab can run here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness import doctor as checks
from harness.cli import place
from harness.cli.trouble import tell
from harness.config import Settings, load
from harness.errors import ConfigError


def doctor(
    config: Annotated[Path | None, typer.Option(help="Instead of the checkout's kernels.yaml.")] = None,
) -> None:
    """Tell what this host lacks, and what mends it."""
    code = 0
    try:
        settings = load(config or place.find().config).settings
    except ConfigError as error:
        code = tell(error)
        settings = Settings()
    diagnosis = checks.diagnose(settings, checks.Host.here())
    typer.echo(diagnosis.text())
    raise typer.Exit(diagnosis.exit_code or code)
