"""A published site's feeds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from published_sites import (
    ATOM,
    entries,
    night,
    published,
)

pytestmark = pytest.mark.usefixtures("known_once")


def test_feeds_have_an_entry_for_every_run_with_its_breakages(reports: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    published(reports, site, title="Nightly <kernels>", url="https://example.org/lab")
    newest, second, first = entries(site)
    assert second.findtext("a:title", "", ATOM).startswith(
        "1 new breakage against 20261101-021700-beef; 5 of 6"
    )
    assert second.findtext("a:content", "", ATOM).endswith(
        "New breakages:\n- 1 cell: sockets.c: sockets: Can't set 1:72 (len 4): Protocol not available"
    )
    assert first.findtext("a:title", "", ATOM) == "all 6 cells compatible"
    assert newest.findtext("a:updated", "", ATOM) == "2026-11-03T08:17:00+00:00"
    link = newest.find("a:link", ATOM)
    assert link is not None
    assert link.get("href") == "https://example.org/lab/runs/20261103-021700-beef/index.html"
    document = json.loads((site / "feed.json").read_bytes())
    assert document["version"] == "https://jsonfeed.org/version/1.1"
    assert document["title"] == "Nightly <kernels>"
    assert document["feed_url"] == "https://example.org/lab/feed.json"
    assert [item["id"] for item in document["items"]] == [
        entry.findtext("a:id", "", ATOM) for entry in (newest, second, first)
    ]
    for item in document["items"]:
        assert {"id", "url", "title", "content_text", "date_published", "date_modified"} <= item.keys()
        assert all(isinstance(value, str) for value in item.values())


def test_an_entry_keeps_its_id_and_a_site_without_runs_has_feeds(reports: Path, tmp_path: Path) -> None:
    site, empty = tmp_path / "site", tmp_path / "empty"
    published(reports, site)
    before = [entry.findtext("a:id", "", ATOM) for entry in entries(site)]
    night(reports, 3)
    published(reports, site, url="https://elsewhere.example/")
    assert [entry.findtext("a:id", "", ATOM) for entry in entries(site)][1:] == before
    empty.mkdir()
    published(empty, tmp_path / "bare")
    assert entries(tmp_path / "bare") == []
    assert "No run has been published yet" in (tmp_path / "bare/index.html").read_text()
