"""What a published site does not touch, and whom it does not obey."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import ledgers
import pytest
from html_page import Page
from published_sites import (
    ATOM,
    DAY,
    FIRST,
    entries,
    night,
    published,
    record_of,
    tree,
    tried,
)

from harness.errors import ConfigError, HarnessError
from harness.publish import folder
from harness.publish.retention import Rule

pytestmark = pytest.mark.usefixtures("known_once")


def test_foreign_files_are_neither_replaced_nor_removed(reports: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("mine")
    with pytest.raises(ConfigError, match="did not put it there"):
        published(reports, site)
    assert (site / "index.html").read_text() == "mine"
    (site / "index.html").rename(site / "about.html")
    published(reports, site)
    old = site / "runs/20261101-021700-beef"
    (old / "logs/redis/notes.txt").write_text("mine")
    (old / "mine.html").write_text("mine")
    done = published(reports, site, FIRST + 60 * DAY, rule=Rule(0 * DAY, 0 * DAY, 0 * DAY, 0 * DAY))
    assert sorted(tree(old)) == ["logs/redis/notes.txt", "mine.html"]
    assert done.notes == (f"{old} holds files that kmatrix did not put there; they stay",)
    assert (site / "about.html").read_text() == "mine"


def test_a_long_name_is_linked_whole(tmp_path: Path) -> None:
    run = night(tmp_path / "reports", 0, name="é" * 120)
    published(tmp_path / "reports", tmp_path / "site")
    for page, here in (("index.html", tmp_path / "site"), ("latest/index.html", tmp_path / "site/latest")):
        links = Page((tmp_path / "site" / page).read_text()).links
        leading = [(here / unquote(link)).resolve() for link in links if "runs/" in link]
        assert set(leading) == {tmp_path / "site/runs" / run.name / "index.html"}


@pytest.mark.parametrize(
    "name", ["runs\0x", "../../../outside", "/etc/passwd", "logs/../../../../outside", "link/outside"]
)
def test_a_list_that_was_tampered_with_removes_nothing_outside(
    reports: Path, tmp_path: Path, name: str
) -> None:
    site = tmp_path / "site"
    published(reports, site)
    (tmp_path / "outside").write_text("mine")
    old = site / "runs/20261101-021700-beef"
    (old / "link").symlink_to(tmp_path)
    listed = json.loads((old / folder.LIST).read_text())
    (old / folder.LIST).write_text(json.dumps([*listed, name, 7, None]))
    published(reports, site, FIRST + 60 * DAY, rule=Rule(0 * DAY, 0 * DAY, 0 * DAY, 0 * DAY))
    assert (tmp_path / "outside").read_text() == "mine"
    assert not (old / "index.html").exists()


def test_nothing_is_written_through_a_link(reports: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "runs/20261101-021700-beef").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (site / "runs/20261101-021700-beef/logs").symlink_to(tmp_path / "outside")
    with pytest.raises(ConfigError, match="a link stands in its way"):
        published(reports, site)
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_publisher_that_was_killed_is_made_good(
    reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, copied = tmp_path / "site", 0

    def killed(source: Any, target: Any, **_: Any) -> None:  # noqa: ANN401
        nonlocal copied
        copied += 1
        Path(target).write_bytes(Path(source).read_bytes()[: 10 if copied == 5 else None])
        if copied == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", killed)
        with pytest.raises(KeyboardInterrupt):
            published(reports, site)
    assert all(
        path.read_bytes() == (reports / path.relative_to(site / "runs")).read_bytes()
        for path in (site / "runs").rglob("*")
        if path.is_file() and not path.name.startswith((".", folder.LIST))
    )
    published(reports, site)
    whole = tmp_path / "whole"
    published(reports, whole)
    assert tree(site / "runs") == tree(whole / "runs")


@pytest.mark.parametrize(
    "where", ["reports", ".", "reports/20261101-021700-beef", "reports/20261101-021700-beef/x"]
)
def test_a_site_among_the_runs_is_refused(reports: Path, tmp_path: Path, where: str) -> None:
    with pytest.raises(ConfigError, match="holds runs of its own"):
        published(reports, tmp_path / where)


def test_what_is_of_no_use_is_refused(reports: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    with pytest.raises(ConfigError, match="there are no runs"):
        published(tmp_path / "nowhere", site)
    with pytest.raises(ConfigError, match="no finished run 'x'"):
        published(reports, site, keep=("x",))
    for url in ("ftp://x/", "javascript:alert(1)", "example"):
        with pytest.raises(ConfigError, match="no address"):
            published(reports, site, url=url)
    published(reports, site)
    for text in (
        "{}",
        "[]",
        "x",
        "7",
        '{"schema": 2}',
        '{"schema": 1, "runs": [7]}',
        '{"schema": 1, "site": "x", "runs": [], "causes": []}',
    ):
        (site / "history.json").write_text(text)
        with pytest.raises(HarnessError, match=r"history\.json is"):
            published(reports, site)


@pytest.mark.parametrize("text", [*ledgers.HOSTILE, "\ufffe\uffff"], ids=range(len(ledgers.HOSTILE) + 1))
def test_hostile_text_is_shown_and_never_obeyed(tmp_path: Path, text: str) -> None:
    reports, site = tmp_path / "reports", tmp_path / "site"
    safe = re.sub(r"[/\0\ud800-\udfff]", "|", text)[:80]
    night(reports, 0)
    facts = json.loads(json.dumps({"cpu": text, "id": text}))
    run = night(reports, 1, name=f"x{safe}", **facts)
    ledgers.write_run(
        run,
        tried(("redis",), error=f"Error (criu/x.c:1): {text}"),
        facts=json.loads((run / "run.json").read_text()),
    )
    published(reports, site, title=safe)
    page = (site / "index.html").read_text("utf-8")
    parsed = Page(page)
    assert parsed.tags.isdisjoint({"script", "img", "iframe", "object", "form"})
    assert not any(name.startswith("on") or name == "style" for name in parsed.attributes)
    assert all(char.isprintable() or char == "\n" for char in parsed.text)
    assert not any("://" in link or ".." in link for link in parsed.links)
    assert all((site / unquote(link)).is_file() for link in parsed.links)
    style = re.search(r"<style>(.*?)</style>", page, re.S)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'" in page
    newest, _ = entries(site)
    told = newest.findtext("a:title", "", ATOM) + newest.findtext("a:content", "", ATOM)
    assert all(char.isprintable() or char == "\n" for char in told)
    assert record_of(site).runs[0].name == text
