"""The page for everybody: both themes, no script, print, small screens, forced colours, what axe-core finds."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import violations
from playwright.sync_api import Page, expect

from harness.report.write import summarise
from harness.surface.diff import compare
from harness.surface.record import read
from harness.verdict.verdict import Verdict

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
BREAKAGE = "trixie/cold/cpu1/debian-6.1→debian-6.3"
VIEWS = {
    "matrix": "",
    "narrowed": "#q=verdict:breakage nonsense&rows=scenario",
    "cell": f"#cell={BREAKAGE}",
    "list": "#q=verdict:breakage&list=1",
}
READABLE = """all => all.map(one => {
    const [sign, square] = [getComputedStyle(one), getComputedStyle(one.parentElement)];
    const box = one.getBoundingClientRect();
    const seen = sign.color !== square.backgroundColor && sign.opacity === "1" && sign.visibility === "visible";
    return [one.textContent, seen && box.width > 3 && box.height > 5];
})"""
BACKGROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(browser_report: Open, night: Path, scheme: str, view: str) -> None:
    assert violations(browser_report(night, VIEWS[view], color_scheme=scheme)) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_help_and_surfaces(browser_report: Open, surfaces: Path, scheme: str) -> None:
    page = browser_report(surfaces, color_scheme=scheme)
    expect(page.locator("#surface-diff tbody tr").first).to_be_attached()
    assert violations(page) == []
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    assert violations(page) == []


def test_what_differs_between_two_kernels_is_told_for_any_two(browser_report: Open, surfaces: Path) -> None:
    page = browser_report(surfaces)
    told = page.locator("#surface-diff")
    record = {label: read(surfaces / "surface" / f"{label}.json") for label in ("debian-6.12", "debian-7.3")}
    page.locator("#surface-before").select_option(label="debian-6.12")
    page.locator("#surface-after").select_option(label="debian-7.3")
    wanted = {change.entry.id for change in compare(*record.values()).changes}
    shown = told.locator("tbody th code").all_text_contents()
    assert sorted(shown) == sorted(wanted)
    assert len(wanted) > 3
    page.locator("#surface-after").select_option(label="debian-6.12")
    expect(told).to_have_text("One kernel differs in nothing from itself.")


def test_without_script_everything_that_failed_is_there(browser_report: Open, night: Path) -> None:
    page = browser_report(night, java_script_enabled=False)
    rows = page.locator("noscript table.matrix tbody tr")
    assert rows.count() == 7
    summary = summarise(night)
    text = page.locator("body").inner_text()
    assert f"{int((summary.cells['verdict'] == 'compatible').sum()):,}" in text
    assert page.locator("#changes").is_visible()
    assert page.locator("#causes tr[data-cause]").count() > 5
    assert page.locator("#filters").inner_text() == ""
    for summary_line in page.locator("#causes tr[data-cause] summary", has_text="where").all():
        summary_line.click()
    causes = page.locator("#causes > .scroll").inner_text()
    failed = summary.cells[[Verdict(one).rank > Verdict.LAB_ERROR.rank for one in summary.cells["verdict"]]]
    assert len(failed) > 100
    for _, cell in failed.iterrows():
        where = cell["source"] if cell["baseline"] else f"{cell['source']}→{cell['destination']}"
        move = f"{cell['userland']}/{cell['mode']} {where}"
        said = [line for head, line in itertools.pairwise(causes.splitlines()) if head == move]
        assert any(cell["scenario"] in line.split(", ") for line in said), cell["cell"]
    page.locator("nav a", has_text="Causes").click()
    assert page.url.endswith("#causes")
    beside = page.locator("#run a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    assert beside
    assert all((night / link).is_file() for link in beside)


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
        paper = page.locator("main").inner_text()
        cells = summarise(night).cells
        for error in cells.loc[cells["outcome"] == "fail", "signature"].unique():
            assert error in paper
        changes = page.locator("#changes summary + table .where")
        assert changes.count() > 5
        assert all(one.is_visible() for one in changes.all())


@pytest.mark.parametrize("width", [390, 768, 1920])
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
    seen = page.locator("[role=gridcell] > b").evaluate_all(READABLE)
    assert len(seen) == 7 * 8
    assert [sign for sign, readable in seen if not readable] == []


def test_nothing_moves_for_those_who_want_it_so(browser_report: Open, night: Path) -> None:
    page = browser_report(night, VIEWS["cell"], reduced_motion="reduce")
    assert page.evaluate("document.getAnimations().length") == 0
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
