"""The published site: what is kept, what is written, what is never touched, and that all of it holds together."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import re
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import ledgers
import pytest
from html_page import Page

from harness.errors import ConfigError, HarnessError
from harness.history import index
from harness.matrix.cell import Cell, Outcome, Phase
from harness.matrix.ledger import Attempt
from harness.publish import folder, retention
from harness.publish.record import Record
from harness.publish.retention import Rule, keep
from harness.publish.site import Published, Wishes, plan, publish
from harness.verdict.known import load

KNOWN = cache(load)
MOVE = Cell("trixie", "cold", "redis", "debian-6.1-oldest", "debian-6.12")
SOCKETS = "Error (criu/sockets.c:628): sockets: Can't set 1:72 (len 4): Protocol not available"
FIRST = datetime(2026, 11, 1, 2, 17, tzinfo=UTC)
NOW = datetime(2026, 11, 5, 8, tzinfo=UTC)
ATOM = {"a": "http://www.w3.org/2005/Atom"}
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def known_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """`known.yaml` takes a tenth of a second to read."""
    monkeypatch.setattr(index, "load", KNOWN)


def tried(broken: Sequence[str] = (), **changes: Any) -> list[Attempt]:  # noqa: ANN401
    """Two scenarios with their diagonals; those that are named do not come back."""
    made = []
    for scenario in ("redis", "tcp"):
        cell = replace(MOVE, scenario=scenario)
        for diagonal in (replace(cell, destination=cell.source), replace(cell, source=cell.destination)):
            made.append(ledgers.attempt(diagonal))
        fails = {"phase": Phase.RESTORE, "error": SOCKETS, **changes} if scenario in broken else {}
        made.append(ledgers.attempt(cell, Outcome.FAIL if fails else Outcome.PASS, **fails))
    return made


def night(reports: Path, number: int, broken: Sequence[str] = (), *, name: str = "", **facts: Any) -> Path:  # noqa: ANN401
    """A finished run with logs and stand-ins for reports, begun `number` nights after the first."""
    began = FIRST + number * DAY
    record = ledgers.run_facts((MOVE.source, MOVE.destination), ("redis", "tcp"), 6)
    stamp = name or f"{began:%Y%m%d-%H%M%S}-beef"
    record |= {"id": stamp, "started": began.isoformat(), "finished": (began + DAY / 4).isoformat(), **facts}
    run = ledgers.write_run(reports / stamp, tried(broken), facts=record)
    for attempt in tried(broken):
        for log in attempt.logs.values():
            (run / log).parent.mkdir(parents=True, exist_ok=True)
            (run / log).write_text(f"(00.000001) {SOCKETS}\n")
    # stand-ins: to make the true ones takes a hundred times as long
    for report in ("index.html", "matrix.json", "matrix.csv", "scenarios.md"):
        (run / report).write_text(f"{report} of {stamp}")
    return run


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """Three nights, of which the second broke something."""
    made = tmp_path / "reports"
    for number, broken in enumerate(((), ("redis",), ("redis",))):
        night(made, number, broken)
    return made


def published(reports: Path, site: Path, now: datetime = NOW, **wishes: Any) -> Published:  # noqa: ANN401
    """A site, up to date."""
    return publish(reports, site, Wishes(**wishes), now)


def tree(site: Path) -> dict[str, bytes]:
    """Every file of a site."""
    return {
        str(path.relative_to(site)): path.read_bytes() for path in sorted(site.rglob("*")) if path.is_file()
    }


def record_of(site: Path) -> Record:
    """What the site says of itself to machines."""
    return Record.from_json((site / "history.json").read_text())


# which runs are kept


def names(*ages: float) -> dict[str, datetime]:
    """Runs by age in days."""
    return {f"{age:g}": NOW - age * DAY for age in ages}


def test_all_then_one_a_week_then_one_a_month() -> None:
    rule = Rule(10 * DAY, 40 * DAY, 120 * DAY, 3 * DAY)
    kept = keep(names(*range(400)), rule, NOW)
    ages = sorted(map(int, kept.pages))
    assert ages[:10] == list(range(10))
    # NOW is a Thursday: Sundays end the weeks, and 30 September was 36 days ago
    assert ages[10:15] == [11, 18, 25, 32, 36]
    assert ages[15:] == [39, 66, 97]
    assert kept.logs == {"0", "1", "2"}


def test_the_newest_and_the_marked_are_always_kept() -> None:
    kept = keep(names(900, 800, 700), Rule(DAY, DAY, DAY, DAY), NOW, ["800", "nobody"])
    assert kept.pages == kept.logs == {"700", "800"}
    assert keep({}, Rule(), NOW).pages == frozenset()


@pytest.mark.parametrize("seed", range(30))
def test_what_every_rule_keeps_true(seed: int) -> None:
    chance = random.Random(seed)
    spans = [chance.choice([0, 1, 7, 30, 100, 1000]) * DAY for _ in range(4)]
    rule = Rule(*spans)
    runs = names(*(chance.uniform(-1, 1500) for _ in range(chance.randrange(1, 200))))
    marked = chance.sample(sorted(runs), min(3, len(runs)))
    kept = keep(runs, rule, NOW, marked)
    newest = max(runs, key=lambda name: runs[name])
    assert {newest, *marked} <= kept.logs <= kept.pages <= set(runs)
    assert {name for name, began in runs.items() if NOW - began < rule.every} <= kept.pages
    weeks = {began.isocalendar()[:2] for began in runs.values() if NOW - began < rule.weekly - 7 * DAY}
    assert weeks <= {runs[name].isocalendar()[:2] for name in kept.pages}
    # thinning night by night leaves what thinning once leaves
    left = runs
    for later in (NOW, NOW + 3 * DAY, NOW + 40 * DAY):
        left = {name: runs[name] for name in keep(left, rule, later, marked).pages}
    assert set(left) == keep(runs, rule, NOW + 40 * DAY, marked).pages


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "30d;4w", "30y", "1e3d", "999999d"])
def test_a_rule_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="how long") as caught:
        Rule.parse(text, 1)
    assert "--keep 30d,26w,60m" in str(caught.value.hint)


def test_rules_in_words() -> None:
    assert Rule.parse("2d, 3w,4m", 5) == Rule(2 * DAY, 21 * DAY, 124 * DAY, 5 * DAY)
    assert Rule.parse("2d", 0) == Rule(2 * DAY, 0 * DAY, 0 * DAY, 0 * DAY)
    assert len(keep(names(1, 9999), Rule.parse(retention.ALL, 1), NOW).pages) == 2


# what is written


def test_the_site_has_every_run_and_says_what_broke(reports: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    done = published(reports, site)
    runs = sorted(path.name for path in reports.iterdir() if path.is_dir())
    assert list(done.plan.publish) == runs[::-1]
    for run in runs:
        for name in ("index.html", "matrix.json", "matrix.csv", "results.jsonl", "logs/redis/console.log"):
            assert (site / "runs" / run / name).read_bytes() == (reports / run / name).read_bytes()
    newest, second, first = record_of(site).runs
    assert (first.against, first.breakages) == (None, 0)
    assert (second.against, second.breakages, second.causes[0].cells) == (first.name, 1, 1)
    assert (newest.against, newest.breakages) == (second.name, 0)
    (cause,) = record_of(site).causes
    assert (cause.first, cause.last, cause.runs, cause.verdict) == (
        runs[1],
        runs[2],
        2,
        "cross-kernel breakage",
    )
    page = (site / "index.html").read_text()
    assert f"<h1>no new breakage against {second.name}; 5 of 6 cells compatible, 1 fail</h1>" in page
    assert page.index(runs[2]) < page.index(runs[0])
    assert "Pass rate over the last 3 runs" in page
    assert "<code>sockets.c: sockets: Can&#39;t set 1:72 (len 4): Protocol not available</code>" in page
    assert f'content="0; url=../runs/{runs[2]}/index.html"' in (site / "latest/index.html").read_text()


def test_publishing_again_changes_nothing(reports: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert published(reports, site).written > 0
    before = tree(site)
    changed = {path: path.stat().st_mtime_ns for path in site.rglob("*")}
    assert published(reports, site, NOW + timedelta(hours=1)).written == 0
    assert tree(site) == before
    # the lock is opened anew, and folders are written to by no one
    assert {path: path.stat().st_mtime_ns for path in site.rglob("*") if path.name != ".kmatrix-lock"} == {
        path: when for path, when in changed.items() if path.name != ".kmatrix-lock"
    }


def test_only_what_changed_is_copied(reports: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    published(reports, site)
    run = sorted(reports.glob("2*"))[0]
    (run / "matrix.csv").write_text("changed")
    (run / "index.html").rename(run / "cells.html")
    (run / "index.html").write_text("<!doctype html><title>new</title>")
    (run / "scenarios.md").unlink()
    assert published(reports, site).written == 3
    there = site / "runs" / run.name
    assert (there / "matrix.csv").read_text() == "changed"
    assert (there / "cells.html").is_file()
    assert not (there / "scenarios.md").exists()


def test_a_run_without_reports_gets_them_and_one_that_goes_on_is_left_out(
    reports: Path, tmp_path: Path
) -> None:
    run = sorted(reports.glob("2*"))[0]
    (run / "index.html").unlink()
    going_on = night(reports, 3, finished=None)
    done = published(reports, tmp_path / "site")
    assert (tmp_path / "site/runs" / run.name / "index.html").is_file()
    assert not (tmp_path / "site/runs" / going_on.name).exists()
    assert any("has not finished" in note and going_on.name in note for note in done.notes)


def test_of_a_run_with_its_ledger_alone_the_site_keeps_what_it_has(reports: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    published(reports, site)
    before = tree(site / "runs")
    for run in reports.glob("2*"):
        for path in run.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name not in ("run.json", "results.jsonl"):
                path.unlink()
    assert published(reports, site).written == 0
    assert tree(site / "runs") == before


def test_what_is_no_report_and_no_text_stays_at_home(reports: Path, tmp_path: Path) -> None:
    run = sorted(reports.glob("2*"))[-1]
    (tmp_path / "secret").write_text("s3cret")
    for name in (".hidden.json", "core", "logs/evil.html", "logs/evil.svg", "upstream/mail.txt", "logs/.x.log",
                 "surface/.y.json"):  # fmt: skip
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text("no")
    (run / "surface" / "debian-6.1.json").write_text("{}")
    (run / "link.html").symlink_to(tmp_path / "secret")
    (run / "logs" / "folder").symlink_to(tmp_path)
    os.mkfifo(run / "logs" / "fifo.log")
    published(reports, tmp_path / "site")
    there = {
        name for name in tree(tmp_path / "site/runs" / run.name) if "redis" not in name and "tcp" not in name
    }
    assert there == {"index.html", "matrix.csv", "matrix.json", "scenarios.md", "run.json", "results.jsonl",
                     "surface/debian-6.1.json", folder.LIST}  # fmt: skip


def test_the_badge_is_the_newest_runs(reports: Path, tmp_path: Path) -> None:
    published(reports, tmp_path / "site")
    assert not (tmp_path / "site/badge.svg").exists()
    first, *_, last = sorted(reports.glob("2*"))
    (first / "badge.svg").write_text("<svg>old</svg>")
    (last / "badge.svg").write_text("<svg>new</svg>")
    published(reports, tmp_path / "site")
    assert (tmp_path / "site/badge.svg").read_text() == "<svg>new</svg>"
    assert 'href="badge.svg"' in (tmp_path / "site/index.html").read_text()


# thinning


def test_old_runs_are_thinned_and_their_figures_stay(reports: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    published(reports, site, keep=("20261101-021700-beef",))
    later = FIRST + 60 * DAY
    rule = Rule(10 * DAY, 20 * DAY, 0 * DAY, 0 * DAY)
    todo = plan(reports, site, Wishes(rule), later)
    assert (site / "runs/20261102-021700-beef").is_dir()  # a plan does nothing
    assert todo.drop == ("20261102-021700-beef",)
    assert published(reports, site, later, rule=rule).plan.drop == todo.drop
    assert sorted(path.name for path in (site / "runs").iterdir()) == [
        "20261101-021700-beef",
        "20261103-021700-beef",
    ]
    figures = {run.folder[:8]: (run.pages, run.logs, run.kept) for run in record_of(site).runs}
    assert figures == {
        "20261101": (True, True, True), "20261102": (False, False, False), "20261103": (True, True, False),
    }  # fmt: skip
    assert "runs/20261102" not in (site / "index.html").read_text()
    assert "20261102-021700-beef" in (site / "index.html").read_text()
    published(reports, site, later, rule=rule, release=("20261101-021700-beef",))
    assert [path.name for path in (site / "runs").iterdir()] == ["20261103-021700-beef"]


def test_logs_go_before_pages(reports: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    published(reports, site)
    rule = Rule(logs=0 * DAY)
    done = published(reports, site, rule=rule)
    assert done.plan.drop_logs == ("20261102-021700-beef", "20261101-021700-beef")
    old, newest = site / "runs/20261101-021700-beef", site / "runs/20261103-021700-beef"
    assert (old / "index.html").is_file()
    assert not (old / "logs").exists()
    assert not (old / "results.jsonl").exists()
    assert (newest / "logs").is_dir()
    assert published(reports, site, rule=rule).plan.drop_logs == ()


def test_a_run_that_is_gone_from_the_reports_stays_in_the_site(reports: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    published(reports, site)
    before = record_of(site)
    for run in sorted(reports.glob("2*"))[:2]:
        shutil.rmtree(run)
    night(reports, 3, ("tcp",))
    published(reports, site)
    after = record_of(site)
    assert [run.folder[:8] for run in after.runs] == ["20261104", "20261103", "20261102", "20261101"]
    assert after.runs[2] == before.runs[1]
    assert after.site == before.site
    assert (site / "runs/20261101-021700-beef/logs/redis/console.log").is_file()
    assert after.causes[0].first == "20261102-021700-beef"
    published(reports, site, FIRST + 60 * DAY, rule=Rule(DAY, DAY, DAY, DAY))
    assert [path.name for path in (site / "runs").iterdir()] == ["20261104-021700-beef"]


# what is not ours


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


# feeds


def entries(site: Path) -> list[ET.Element]:
    """The entries of the Atom feed, which is checked against what RFC 4287 demands."""
    feed = ET.fromstring((site / "feed.atom").read_bytes())
    assert feed.tag == "{http://www.w3.org/2005/Atom}feed"
    assert feed.findtext("a:author/a:name", None, ATOM)
    found = feed.findall("a:entry", ATOM)
    for element in (feed, *found):
        for name in ("id", "title", "updated"):
            assert len(element.findall(f"a:{name}", ATOM)) == 1
        uuid.UUID(element.findtext("a:id", "", ATOM).removeprefix("urn:uuid:"))
        assert datetime.fromisoformat(element.findtext("a:updated", "", ATOM)).tzinfo is not None
        assert "alternate" in {link.get("rel") for link in element.findall("a:link", ATOM)}
    ids = [element.findtext("a:id", "", ATOM) for element in (feed, *found)]
    assert len(set(ids)) == len(ids)
    return found


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


# hostile text


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
