"""A run whose guests print the worst: in a real browser nothing of it is obeyed, and it can still be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ledgers
import pytest
from playwright.sync_api import Page, expect

from harness.report.write import summarise, write_reports

pytestmark = pytest.mark.browser

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Names, errors, facts and logs of `ledgers.HOSTILE`, compared with another such night."""
    folder = tmp_path_factory.mktemp("hostile")
    made = ledgers.nights(6, 12, hostile=True)
    before, after = made.before.write(folder / "before"), made.after.write(folder / "after", logs=True)
    write_reports(after, before)
    return after


def test_nothing_is_obeyed(browser_report: Open, hostile: Path) -> None:
    page = browser_report(hostile)
    assert page.locator("script").count() == 2
    assert page.locator("img, iframe, object, embed, form, base, meta[http-equiv=refresh]").count() == 0
    inline = "all => all.filter(one => [...one.attributes].some(({ name }) => name.startsWith('on'))).length"
    assert page.locator("*").evaluate_all(inline) == 0
    assert "<script>alert(1)<|script>" in page.locator("body").inner_text()


def test_every_failing_cell_can_be_opened(browser_report: Open, hostile: Path) -> None:
    page = browser_report(hostile, "#list=1")
    links = page.locator("#drawer .cells a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    cells = summarise(hostile).cells
    assert len(links) == len(set(links)) > 100
    worst = cells[cells["verdict"] != "compatible"]
    for link in links[: len(worst) : max(1, len(worst) // 15)]:
        page.evaluate("link => { location.hash = link }", link)
        expect(page.locator("#drawer .why")).to_be_visible()
        expect(page.locator("#drawer .copy code").first).to_contain_text("kmatrix repro '")
        assert page.locator("#drawer a").evaluate_all(
            "all => all.every(one => /^(#|\\.\\/(logs|upstream|surface)\\/)/.test(one.getAttribute('href')))"
        )
    assert page.locator("script").count() == 2


def test_hostile_addresses_are_text(browser_report: Open, hostile: Path) -> None:
    for view in (
        "#cell=<img src=x onerror=alert(1)>",
        '#q=<script>alert(1)</script> "><img src=x onerror=alert(1)>',
        "#at=%3Cb%3E~__proto__&rows=constructor&cell=%00",
        "#q=constructor:x __proto__:y toString:z",
    ):
        page = browser_report(hostile, view)
        assert page.locator("img").count() == 0
    expect(page.locator("#told")).to_contain_text("“constructor:” is no kind of word")


def test_the_script_never_makes_markup_of_text() -> None:
    from harness.report.page.render import script_text

    script = script_text()
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "srcdoc",
    ):
        assert forbidden not in script
