"""The tests' own reader of pages: what a report must never do is noticed, whichever page does it."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import Reader
from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

POLICY = "default-src 'none'; script-src 'unsafe-inline'"
READY = "performance.mark('kmatrix-ready')"


@pytest.mark.parametrize(
    ("markup", "heard"),
    [
        ("<script>console.log('a word')</script>", "a word"),
        ("<script>setTimeout(() => { throw new Error('thrown') })</script>", "thrown"),
        ("<script>setTimeout(() => alert('in the way'))</script>", "in the way"),
        ("<style>p { color: red }</style>", "style-src"),
        ("<img src='data:image/gif;base64,AA==' alt=''>", "img-src"),
    ],
)
def test_what_a_page_must_not_do_is_heard(
    chromium_browser: Browser, tmp_path: Path, markup: str, heard: str
) -> None:
    reader = _read(chromium_browser, tmp_path, POLICY, markup)
    assert any(heard in one for one in reader.complaints)
    with pytest.raises(AssertionError):
        reader.assert_quiet()


def test_a_request_is_noticed(chromium_browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "other.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    reader = _read(chromium_browser, tmp_path, f"{POLICY}; img-src file:", "<img src='other.svg' alt=''>")
    assert [url.rpartition("/")[2] for url in reader.requests] == ["other.svg"]
    with pytest.raises(AssertionError):
        reader.assert_quiet()


def test_a_page_that_does_nothing_of_the_kind_is_quiet(chromium_browser: Browser, tmp_path: Path) -> None:
    _read(chromium_browser, tmp_path, POLICY, "<p>nothing</p>").assert_quiet()


def _read(browser: Browser, folder: Path, policy: str, markup: str) -> Reader:
    (folder / "index.html").write_text(
        f'<!doctype html><meta http-equiv="Content-Security-Policy" content="{policy}"><title>a page</title>'
        f"{markup}<script>{READY}</script>"
    )
    reader = Reader(browser)
    reader.open(folder).wait_for_timeout(100)
    reader.close()
    return reader
