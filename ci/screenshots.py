"""The README's pictures of a report: `python -m ci.screenshots RUN [FOLDER]` opens RUN's page in Debian's Chromium.

It is opened as the tests open it: a page that complains or asks the network for anything is no picture for the README.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

from tests.browser import Reader, chromium

LIMIT = 200_000
"""Bytes of one picture: the README is read over slow lines, too."""
WORST = "document.querySelector('#legend [data-verdict]').dataset.verdict"


@dataclass(frozen=True)
class Shot:
    """One picture: a name, a theme, and what is done before it is taken."""

    name: str
    scheme: str
    open_worst: bool = False


SHOTS = (
    Shot("report-light", "light"),
    Shot("report-dark", "dark"),
    Shot("report-cell", "light", open_worst=True),
)


def main() -> int:
    """Write the pictures. Exit code 1 if one is too large."""
    parser = argparse.ArgumentParser(description="The README's pictures of a report.")
    parser.add_argument("run", type=Path, help="a run's folder, in which kmatrix report has been")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("docs/images"))
    wanted = parser.parse_args()
    wanted.folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        reader = Reader(browser)
        sizes = {shot.name: take(reader, wanted.run.resolve(), shot, wanted.folder) for shot in SHOTS}
        reader.close()
    reader.assert_quiet()
    for name, size in sizes.items():
        sys.stdout.write(f"{wanted.folder / name}.png {size:,} bytes\n")
    return int(any(size > LIMIT for size in sizes.values()))


def take(reader: Reader, run: Path, shot: Shot, folder: Path) -> int:
    """One picture; how many bytes it has."""
    tab = reader.open(run, viewport={"width": 1200, "height": 860}, color_scheme=shot.scheme)
    if shot.open_worst:
        open_worst(tab)
    elif tab.locator("#changes").count():
        tab.evaluate("document.getElementById('matrix').scrollIntoView({ behavior: 'instant' })")
    path = folder / f"{shot.name}.png"
    tab.screenshot(path=path, animations="disabled")
    return path.stat().st_size


def open_worst(tab: Page) -> None:
    """Walk to the first cell of the worst verdict."""
    verdict = tab.evaluate(WORST)
    tab.locator(f'#legend button[data-verdict="{verdict}"]').click()
    tab.locator("#list").click()
    tab.locator("#drawer .cells a").first.click()


if __name__ == "__main__":
    sys.exit(main())
