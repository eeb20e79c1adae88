"""Debian's Chromium, headless, for tests of reports: opens a page and remembers everything it should not do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, sync_playwright

CHROMIUM = shutil.which("chromium")
POLICY = """document.addEventListener("securitypolicyviolation", event =>
    console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`))"""
"""What a page's policy forbids is told on the console, whether the browser says it there or not."""
READY = "performance.getEntriesByName('kmatrix-ready').length > 0"


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; root has no sandbox to run it in."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@dataclass
class Reader:
    """Opens reports. What their pages complained of or asked the network for is in `complaints` and `requests`."""

    browser: Browser
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self, report: Path, view: str = "", **context: Any) -> Page:  # noqa: ANN401  as Playwright takes them
        """A fresh window with a report's page; `report` is the run's folder or the file, `view` the address's hash."""
        file = report / "index.html" if report.is_dir() else report
        scripted = context.get("java_script_enabled", True)
        page = self.browser.new_context(**context).new_page()
        page.set_default_timeout(60_000)
        page.add_init_script(POLICY)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("dialog", self._interrupted)
        page.on("request", lambda request: self._asked(request, file))
        page.goto(file.as_uri() + view)
        if scripted and page.locator("script").count():
            page.wait_for_function(READY)
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        self.complaints.append(f"{message.type}: {message.text}")

    def _interrupted(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _asked(self, request: Request, file: Path) -> None:
        if urldefrag(request.url).url != file.as_uri() and not request.url.startswith("data:image/svg+xml,"):
            self.requests.append(request.url)

    def assert_quiet(self) -> None:
        """Nothing went wrong in any page, and none of them asked anybody for anything."""
        assert self.complaints == []
        assert self.requests == []

    def close(self) -> None:
        """All windows."""
        for context in self.browser.contexts:
            context.close()


def violations(page: Page) -> list[str]:
    """What axe-core has against a page, all of it laid out."""
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for one in found
        for node in one["nodes"]
    ]
