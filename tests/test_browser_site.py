"""The published site in a real browser: its first page is quiet and for everybody, and leads to the runs' own pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import ledgers
import pytest
from browser import violations
from playwright.sync_api import Page, expect

from harness.publish.site import Wishes, publish
from harness.report.write import write_reports

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nights, published."""
    folder = tmp_path_factory.mktemp("published")
    made = ledgers.nights(6, 12)
    for name, night in (("first", made.before), ("second", made.after)):
        write_reports(night.write(folder / "reports" / name))
    publish(folder / "reports", folder / "site", Wishes(), datetime(2026, 11, 22, tzinfo=UTC))
    return folder / "site"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser_report: Callable[..., Page], site: Path, scheme: str) -> None:
    page = browser_report(site, color_scheme=scheme)
    assert violations(page) == []


def test_it_leads_to_a_run_and_fits_a_phone(browser_report: Callable[..., Page], site: Path) -> None:
    page = browser_report(site, viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    links = page.locator("a[href*='runs/']").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    assert {"runs/first/index.html", "runs/second/index.html"} <= {link.partition("#")[0] for link in links}
    opened = browser_report(site / "runs" / "second" / "index.html")
    expect(opened.locator("[role=grid]")).to_be_visible()
