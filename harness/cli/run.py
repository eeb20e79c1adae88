"""`kmatrix run`: the matrix, as a pytest session."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli import front, place
from harness.cli.front import FailOn, Wishes
from harness.cli.trouble import tell
from harness.errors import ConfigError
from harness.matrix.cell import Confirm, Isolation

GLOBS = "comma separated globs, instead of the profile's"


def run(
    config: Annotated[Path | None, typer.Option(help="Instead of the checkout's kernels.yaml.")] = None,
    profile: Annotated[str | None, typer.Option(help="A profile of kernels.yaml (default: quick).")] = None,
    kernels: Annotated[str | None, typer.Option(help=f"Labels: {GLOBS}.")] = None,
    userlands: Annotated[str | None, typer.Option(help=f"Userlands: {GLOBS}.")] = None,
    scenarios: Annotated[str | None, typer.Option(help=f"Scenarios, or tag:NAME: {GLOBS}.")] = None,
    suite: Annotated[
        str | None, typer.Option(help="A suite of tests instead of the scenarios here: zdtm, CRIU's own.")
    ] = None,
    criu: Annotated[
        Path | None, typer.Option(help="A CRIU of your own: an installed prefix or a built tree.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Guests at once (default: as many as fit).", min=1)] = None,
    isolation: Annotated[
        Isolation | None, typer.Option(help="What every cell starts from (default: reset).")
    ] = None,
    confirm: Annotated[
        Confirm | None,
        typer.Option(help="What gets a fresh boot of its own when it fails (default: every cell)."),
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="The run's folder (default: a new one in reports/).")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with --run-dir, or with the newest unfinished run.")
    ] = False,
    try_remedies: Annotated[
        bool, typer.Option("--try-remedies", help="Then run known reds again with what is known to help.")
    ] = False,
    fail_on: Annotated[
        FailOn,
        typer.Option(
            help="What makes the exit code 1: nothing, failed cells, or flaky cells and lab errors too."
        ),
    ] = FailOn.NONE,
    keyword: Annotated[
        str | None, typer.Option("-k", metavar="EXPRESSION", help="Only cells whose names match.")
    ] = None,
    mark: Annotated[
        str | None, typer.Option("-m", metavar="EXPRESSION", help="Only cells with matching marks.")
    ] = None,
    exit_first: Annotated[
        bool, typer.Option("-x", "--exitfirst", help="Stop at the first red cell.")
    ] = False,
    last_failed: Annotated[
        bool, typer.Option("--lf", "--last-failed", help="Only what was red last time.")
    ] = False,
    junit: Annotated[Path | None, typer.Option("--junitxml", help="Write JUnit XML to this file.")] = None,
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[-- PYTEST ARGUMENTS]", help="Handed to pytest.")
    ] = None,
) -> None:
    """Run the matrix: kernels in every ordered pair."""
    wishes = Wishes(
        config=config,
        profile=profile,
        kernels=kernels,
        userlands=userlands,
        scenarios=scenarios,
        suite=suite,
        criu=criu,
        jobs=jobs,
        isolation=isolation,
        confirm=confirm,
        run_dir=run_dir,
        resume=resume,
        try_remedies=try_remedies,
        fail_on=fail_on,
        keyword=keyword,
        mark=mark,
        exit_first=exit_first,
        last_failed=last_failed,
        junit=junit,
        more=tuple(more or ()),
    )
    front.require_libvirt()
    status, seen = front.session(front.pytest_arguments(place.find().root, wishes))
    for line in seen.unread:
        tell(ConfigError(line, hint="docs/scenarios.md says what a scenario is"))
    if seen.failure is not None:
        tell(seen.failure)
    elif status == front.NOTHING_SELECTED:
        tell(ConfigError("no cell is selected; --lf, -k and -m leave nothing of the profile"))
    raise typer.Exit(front.exit_code(status, seen))
