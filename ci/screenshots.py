"""The README's pictures of a report: `python ci/screenshots.py RUN [FOLDER]` opens RUN's page in Debian's Chromium."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a run's folder, in which kmatrix report has been")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("docs/images"))
    wanted = parser.parse_args()
    wanted.folder.mkdir(parents=True, exist_ok=True)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        sizes = {shot.name: take(browser, wanted.run / "index.html", shot, wanted.folder) for shot in SHOTS}
        browser.close()
    for name, size in sizes.items():
        sys.stdout.write(f"{wanted.folder / name}.png {size:,} bytes\n")
    return int(any(size > LIMIT for size in sizes.values()))


def take(browser: Browser, page: Path, shot: Shot, folder: Path) -> int:
    """One picture; how many bytes it has."""
    window = browser.new_context(viewport={"width": 1200, "height": 860}, color_scheme=shot.scheme)  # type: ignore[arg-type]
    tab = window.new_page()
    tab.goto(page.resolve().as_uri())
    if shot.open_worst:
        verdict = tab.evaluate(WORST)
        tab.locator(f'#legend button[data-verdict="{verdict}"]').click()
        tab.locator("#list").click()
        tab.locator("#drawer .cells a").first.click()
    elif tab.locator("#changes").count():
        tab.evaluate("document.getElementById('matrix').scrollIntoView({ behavior: 'instant' })")
    path = folder / f"{shot.name}.png"
    tab.screenshot(path=path)
    window.close()
    return path.stat().st_size


if __name__ == "__main__":
    sys.exit(main())
