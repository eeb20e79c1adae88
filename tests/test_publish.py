"""The published site: what is written and what is thinned, and that all of it holds together."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from published_sites import (
    DAY,
    FIRST,
    NOW,
    night,
    published,
    record_of,
    tree,
)

from harness.publish import folder
from harness.publish.retention import Rule
from harness.publish.site import Wishes, plan

pytestmark = pytest.mark.usefixtures("known_once")


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
