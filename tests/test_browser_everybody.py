"""The page for everybody: both themes, no script, print, small screens, forced colours, what axe-core finds."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from harness.report.write import summarise

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
BREAKAGE = "trixie/cold/cpu1/debian-6.1→debian-6.3"
VIEWS = {"matrix": "", "cell": f"#cell={BREAKAGE}", "list": "#q=verdict:breakage&list=1"}
BACKGROUND = "getComputedStyle(document.body).backgroundColor"


def violations(page: Page) -> list[str]:
    """What axe-core has against a page, all of it laid out."""
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for one in found
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(browser_report: Open, night: Path, scheme: str, view: str) -> None:
    assert violations(browser_report(night, VIEWS[view], color_scheme=scheme)) == []


def test_axe_finds_nothing_without_script(browser_report: Open, night: Path) -> None:
    page = browser_report(night, java_script_enabled=False)
    rows = page.locator("noscript table.matrix tbody tr")
    assert rows.count() == 7
    summary = summarise(night)
    text = page.locator("body").inner_text()
    assert f"{int((summary.cells['verdict'] == 'compatible').sum()):,}" in text
    assert page.locator("#changes").is_visible()
    assert page.locator("#causes tr[data-cause]").count() > 5
    assert page.locator("#filters").inner_text() == ""
    page.locator("#causes summary", has_text="where").first.click()
    assert "trixie/cold debian-" in page.locator("#causes details[open]").first.inner_text()


def test_the_theme_follows_the_system_and_the_button(browser_report: Open, night: Path) -> None:
    page = browser_report(night, color_scheme="dark")
    dark = page.evaluate(BACKGROUND)
    assert dark == "rgb(20, 22, 26)"
    button = page.get_by_role("button", name="Theme")
    button.click()
    assert page.evaluate(BACKGROUND) == "rgb(255, 255, 255)"
    button.click()
    page.emulate_media(color_scheme="light")
    assert page.evaluate(BACKGROUND) == dark
    button.click()
    assert page.evaluate(BACKGROUND) == "rgb(255, 255, 255)"


@pytest.mark.parametrize("view", ["", VIEWS["cell"]])
def test_it_prints(browser_report: Open, night: Path, view: str) -> None:
    page = browser_report(night, view)
    session = page.context.new_cdp_session(page)
    printed = base64.b64decode(session.send("Page.printToPDF", {"printBackground": True})["data"])
    assert printed.startswith(b"%PDF")
    assert len(printed) > 30_000
    page.emulate_media(media="print")
    expect(page.locator("#filters")).not_to_be_visible()
    if view:
        expect(page.locator("main")).not_to_be_visible()
        expect(page.locator("#drawer .copy").first).to_be_visible()
    else:
        expect(page.locator("[role=grid]")).to_be_visible()


@pytest.mark.parametrize("width", [360, 768, 1280, 1920])
@pytest.mark.parametrize("view", ["", VIEWS["cell"]])
def test_nothing_is_wider_than_the_screen(browser_report: Open, night: Path, width: int, view: str) -> None:
    page = browser_report(night, view, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    inner = page.evaluate(
        "(d => d ? [d.scrollWidth, d.clientWidth] : [0, 0])(document.querySelector('dialog[open]'))"
    )
    assert inner[0] <= inner[1]


def test_what_can_be_pressed_is_large_enough(browser_report: Open, night: Path) -> None:
    small = """all => all.filter(one => one.checkVisibility())
        .map(one => [one.outerHTML.slice(0, 120), one.getBoundingClientRect()])
        .filter(([, box]) => box.width < 24 || box.height < 24).map(([html]) => html)"""
    page = browser_report(night)
    assert page.locator("button, select, input, [role=gridcell]").evaluate_all(small) == []
    page = browser_report(night, VIEWS["cell"])
    assert page.locator("#drawer button, #drawer .mini a, #drawer .controls a").evaluate_all(small) == []


def test_signs_tell_verdicts_apart_without_colour(browser_report: Open, night: Path) -> None:
    page = browser_report(night, forced_colors="active")
    signs = page.locator("#legend .tile").all_inner_texts()
    assert len(signs) == len(set(signs)) == 11
    edge = "one => getComputedStyle(one).borderTopStyle"
    assert page.locator("[role=gridcell]").first.evaluate(edge) == "solid"


def test_nothing_moves_for_those_who_want_it_so(browser_report: Open, night: Path) -> None:
    page = browser_report(night, VIEWS["cell"], reduced_motion="reduce")
    assert page.evaluate("document.getAnimations().length") == 0
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
