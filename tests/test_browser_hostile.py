"""A run whose guests print the worst: in a real browser nothing of it is obeyed, and it can still be read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import ledgers
import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from harness.matrix.cell import Cell, Outcome, Phase
from harness.report.sanitize import visible
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


@pytest.mark.parametrize("text", ledgers.HOSTILE[:-1])
def test_an_error_is_read_as_it_was_printed(browser_report: Open, hostile: Path, text: str) -> None:
    cells = summarise(hostile).cells
    says_it = cells[cells["error"].str.endswith(text, na=False) & (cells["verdict"] != "compatible")]
    cell = says_it.iloc[0]
    page = browser_report(hostile, f"#cell={quote(_shown_name(cell))}")
    expect(page.locator(".ended code")).to_have_text(visible(cell["error"]), use_inner_text=True)
    assert page.locator(".ended code").evaluate("one => one.childElementCount") == 0


def test_a_line_without_end_is_cut_and_says_so(browser_report: Open, hostile: Path) -> None:
    cells = summarise(hostile).cells
    (long,) = [cell for _, cell in cells.iterrows() if len(cell["error"] or "") > 1_000_000]
    page = browser_report(hostile, f"#cell={quote(_shown_name(long))}")
    expect(page.locator(".ended code")).to_contain_text(re.compile(r"x… \(\+9\d\d\d\d\d characters\)$"))
    assert (hostile / "index.html").stat().st_size < 2_000_000


def test_no_link_leads_out_of_the_folder_or_into_a_script(browser_report: Open, tmp_path: Path) -> None:
    said = (
        "javascript:window.pwned=1",
        "//elsewhere.example/log",
        "../../etc/passwd",
        "data:text/html,x",
        "logs/a b?#%",
    )
    cell = Cell("javascript:window.pwned=1", "cold", "javascript:pwned", "https:", "data:,")
    failed = ledgers.attempt(
        cell,
        Outcome.FAIL,
        phase=Phase.RESTORE,
        error="javascript:window.pwned=1",
        logs={name: name for name in said},
    )
    run = ledgers.write_run(tmp_path, [failed], kernels=("https:", "data:,"), scenarios=(cell.scenario,))
    write_reports(run)
    page = browser_report(run, f"#cell={quote(str(cell))}")
    expect(page.locator(".ended")).to_have_text("javascript:window.pwned=1")
    hrefs = page.locator("a[href]").evaluate_all(
        "all => all.map(one => [one.getAttribute('href'), one.href])"
    )
    root = run.as_uri()
    assert all(to.startswith(f"{root}/") and not to.startswith(f"{root}/..") for _, to in hrefs), hrefs
    assert f"./{quote('logs/a b?#%')}" in {href for href, _ in hrefs}
    for link in page.locator("#drawer .controls a, #drawer .mini a").all():
        link.click()
    assert page.evaluate("window.pwned") is None


def _shown_name(cell: pd.Series) -> str:
    """How the page calls a cell."""
    names = [visible(cell[part]) for part in ("userland", "mode", "scenario", "source", "destination")]
    return "/".join(names[:4]) + ("" if cell["baseline"] else f"→{names[4]}")


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
