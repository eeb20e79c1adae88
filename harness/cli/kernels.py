"""`kmatrix kernels`: what the labels of kernels.yaml stand for today, and fetching them ahead of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from tabulate import tabulate

from harness.cache import Cache
from harness.cli import place
from harness.cli.trouble import tell
from harness.config import Config, load
from harness.errors import KernelUnavailable
from harness.kernels import Candidate, obtain, resolve, shortcomings
from harness.report.sanitize import visible

HEADINGS = ("label", "release", "version", "suite", "MiB", "here")
Told = Callable[[KernelUnavailable], object]


def kernels(
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch them, and say what their configurations lack.")
    ] = False,
    kernels: Annotated[str, typer.Option(help="Labels: comma separated globs.")] = "*",
    config: Annotated[Path | None, typer.Option(help="Instead of the checkout's kernels.yaml.")] = None,
) -> None:
    """List the kernels, or fetch them."""
    cache = Cache()
    lost: list[KernelUnavailable] = []
    found = candidates(load(config or place.find().config), kernels, cache, lost.append)
    here = {candidate.label for candidate in found if candidate.cached}
    if fetch:
        here = {candidate.label for candidate in found if fetched(candidate, cache, lost.append)}
    typer.echo(table(found, here))
    for error in lost:
        tell(error)
    if lost:
        raise typer.Exit(lost[0].exit_code)


def candidates(config: Config, patterns: str, cache: Cache, lose: Told) -> list[Candidate]:
    """Every kernel that the globs mean; one that the archive does not have is lost, and the rest goes on.

    Raises `ConfigError` if a glob means nothing.
    """
    found: list[Candidate] = []
    lost = 0
    for label, spec in config.kernel_entries(patterns).items():
        try:
            found += resolve(label, spec, config.settings, cache)
        except KernelUnavailable as error:
            lose(error)
            lost += 1
    # With a kernel lost, a glob that matches none of the others may well have meant that one.
    chosen = [c.label for c in found] if lost else config.select_kernels([c.label for c in found], patterns)
    return [candidate for candidate in found if candidate.label in chosen]


def fetched(candidate: Candidate, cache: Cache, lose: Told) -> bool:
    """Fetch one kernel, telling what its configuration lacks; False if it cannot be had."""
    if not candidate.cached:
        typer.echo(f"fetching {candidate.label}: {candidate.release}", err=True)
    try:
        kernel = obtain(candidate, cache)
    except KernelUnavailable as error:
        lose(error)
        return False
    if kernel.config is None:
        typer.echo(f"{candidate.label}: its configuration is not known", err=True)
        return True
    text = kernel.config.read_text(errors="replace")
    for words in shortcomings(text, modules=kernel.modules is not None):
        typer.echo(f"{candidate.label}: {visible(words)}", err=True)
    return True


def table(found: Sequence[Candidate], here: set[str]) -> str:
    """The kernels in kernels.yaml's order."""
    rows = [
        (
            candidate.label,
            visible(candidate.release),
            visible(candidate.version or "-"),
            candidate.suite or visible(candidate.origin),
            f"{candidate.size / (1 << 20):.0f}",
            "yes" if candidate.label in here else "no",
        )
        for candidate in found
    ]
    return tabulate(rows, headers=HEADINGS, disable_numparse=True, colalign=("left",) * 4 + ("right", "left"))
