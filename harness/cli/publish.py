"""`kmatrix publish` and `kmatrix serve`: a site over many runs, and a look at it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import place
from harness.errors import HostError
from harness.publish import serve as server
from harness.publish.retention import Rule
from harness.publish.site import Plan, Wishes, plan
from harness.publish.site import publish as bring_up_to_date
from harness.report.sanitize import visible


def publish(
    site: Annotated[Path, typer.Argument(metavar="DIR", help="The site's folder; made if it is not there.")],
    reports: Annotated[
        Path | None, typer.Option(help="The runs' folder (default: the checkout's reports).")
    ] = None,
    keep: Annotated[
        str, typer.Option(help="Keep all runs for so many days, then one a week, then one a month; or 'all'.")
    ] = "30d,26w,60m",
    keep_logs: Annotated[int, typer.Option(help="Days for which logs are kept.", min=0)] = 14,
    keep_run: Annotated[
        list[str] | None, typer.Option(help="Mark a run: it is kept from now on, logs and all.")
    ] = None,
    release_run: Annotated[list[str] | None, typer.Option(help="Take a run's mark away.")] = None,
    title: Annotated[str, typer.Option(help="The site's name.")] = "kmatrix",
    url: Annotated[
        str | None, typer.Option(help="Where the site will be, for absolute links in feeds.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Make a static site of all runs, or bring it up to date; nothing is uploaded."""
    wishes = Wishes(Rule.parse(keep, keep_logs), tuple(keep_run or ()), tuple(release_run or ()), title, url)
    runs = reports or place.find().reports
    now = datetime.now(UTC)
    try:
        if dry_run:
            _tell(todo := plan(runs, site, wishes, now), "would be ")
            notes = todo.notes
        else:
            done = bring_up_to_date(runs, site, wishes, now)
            notes = done.notes
            _tell(done.plan, "")
            typer.echo(f"{done.written} files written; {site}/index.html")
    except OSError as error:
        raise HostError(f"{error.filename or site}: {error.strerror or error}") from error
    for note in notes:
        typer.echo(note, err=True)


def serve(
    directory: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="A site, a run or a folder of runs (default: the newest run)."),
    ] = None,
    port: Annotated[int, typer.Option(help="0 is any that is free.", min=0, max=65535)] = 8000,
) -> None:
    """Show a published site or a run to a browser on this machine, until Ctrl-C."""
    found = server.what_to_serve(place.find().run(None) if directory is None else directory)
    with server.open_server(found, port) as http:
        typer.echo(f"{found} at {server.url_of(http)}, until Ctrl-C")
        try:
            http.serve_forever()
        except KeyboardInterrupt:
            typer.echo()


def _tell(todo: Plan, mood: str) -> None:
    for names, what in (
        (todo.publish, "published"),
        (todo.drop, "removed, its figures stay"),
        (todo.drop_logs, "stripped of its logs"),
    ):
        for name in names:
            typer.echo(f"{visible(name)} {mood or 'is '}{what}")
