"""Every format of a report, read by somebody else's reader where there is one, and filled with the worst of text."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import junitparser
import ktap_reader
import ledgers
import pytest
from second_nights import rendered

from harness.errors import ConfigError
from harness.matrix import schema
from harness.matrix.cell import Cell, Outcome, Phase
from harness.report import badge, exports, junit, summary
from harness.report.formats import FORMATS, named
from harness.report.results import results
from harness.report.rundir import encoded
from harness.report.status import Status
from harness.report.write import Summary, summarise, write_reports

OLD, NEW = "debian-6.1-oldest", "debian-6.12"
CELL = Cell("trixie", "cold", "redis", OLD, NEW)
DUMP = "Error (criu/cr-dump.c:203): 1236 has rseq but kernel lacks get_rseq_conf feature"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """Twelve thousand cells."""
    return summarise(ledgers.nights().before.write(tmp_path_factory.mktemp("large")))


def statuses(told: Summary) -> Counter[Status]:
    return Counter(one.status for one in results(told.cells))


def test_the_nights_hold_every_verdict(second_night: Summary, hostile_night: Summary) -> None:
    for told in (second_night, hostile_night):
        assert set(statuses(told)) == set(Status)
    assert any(len(str(error)) > 1_000_000 for error in hostile_night.cells["error"])


def test_every_format_is_written_and_named_once(second_night: Summary) -> None:
    written = write_reports(second_night.run.directory, second_night.run.directory.parent / "a")
    assert len({one.file for one in FORMATS.values()}) == len(FORMATS)
    for name, one in FORMATS.items():
        assert (second_night.run.directory / one.file).read_text("utf-8") == rendered(written, name)
    with pytest.raises(ConfigError, match="there is no format 'sarif'; there are: html, json, csv, text, "):
        named("sarif")


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "html"])
def test_no_format_lets_a_control_through(hostile_night: Summary, name: str) -> None:
    text = rendered(hostile_night, name)
    assert len(text) < 10_000_000
    if name == "json":  # escaped, so that an error is what it was
        assert text.isascii()
    assert all(char.isprintable() for char in set(text) - {"\n"})


def test_the_same_run_gives_the_same_bytes(second_night: Summary) -> None:
    again = summarise(second_night.run.directory, second_night.run.directory.parent / "a")
    for name in FORMATS:
        assert rendered(again, name) == rendered(second_night, name), name


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_run_without_a_cell_has_every_format(tmp_path: Path, name: str) -> None:
    (tmp_path / "run").mkdir()
    assert rendered(summarise(tmp_path / "run"), name)


def test_json_says_what_changed(either_night: Summary) -> None:
    document = json.loads(rendered(either_night, "json"))
    assert schema.problems(document, "matrix") == []
    told = document["comparison"]
    comparison = either_night.comparison
    assert comparison is not None
    assert len(told["changes"]) == len(comparison.changes) == sum(told["counts"].values())
    assert told["fair"] is comparison.fair
    assert document["scope"] == comparison.scope.digest
    assert json.loads(exports.as_json(either_night.run, either_night.cells))["comparison"] is None


# JUnit


def junit_cases(text: str) -> dict[tuple[str, str], list[str]]:
    return {
        (case.attrib["classname"], case.attrib["name"]): [child.tag for child in case]
        for case in ET.fromstring(text).iter("testcase")
    }


def test_junit_is_read_by_others_and_counts_agree(either_night: Summary) -> None:
    text = rendered(either_night, "junit")
    read = junitparser.JUnitXml.fromstring(text.encode())
    tally = statuses(either_night)
    found = Counter(type(one).__name__ for suite in read for case in suite for one in case.result)
    assert found == {
        "Failure": tally[Status.FAIL],
        "Error": tally[Status.LAB] + tally[Status.UNDETERMINED],
        "Skipped": tally[Status.SKIP] + tally[Status.FLAKY],
    }
    assert (read.tests, read.failures) == (len(either_night.cells), tally[Status.FAIL])
    assert (read.errors, read.skipped) == (found["Error"], found["Skipped"])
    for suite in read:
        assert suite.tests == len(list(suite))


def test_junit_names_are_unique_and_lead_to_the_cell(second_night: Summary) -> None:
    cases = junit_cases(rendered(second_night, "junit"))
    assert {name for _, name in cases} == {*second_night.cells["cell"]}
    for one in results(second_night.cells):
        name = (f"{one.userland}.{one.mode}.{one.scenario}", one.cell)
        assert cases[name] == ([one.status.terms.junit] if one.status is not Status.PASS else [])


def test_junit_of_a_run_that_was_cut_short_has_an_error(tmp_path: Path) -> None:
    facts = ledgers.run_facts((OLD, NEW), ("redis",), 7) | {"finished": None, "started": "once"}
    told = summarise(ledgers.write_run(tmp_path, [ledgers.attempt(CELL)], facts=facts))
    root = ET.fromstring(rendered(told, "junit"))
    (error,) = root.iter("error")
    assert error.attrib["message"] == "6 planned cells have no result"
    assert root.attrib["errors"] == "1"


def test_junit_that_would_be_too_large_drops_what_passed_and_says_so(
    second_night: Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rendered(second_night, "junit")
    monkeypatch.setattr(junit, "MOST_BYTES", len(whole) // 2)
    cases = junit_cases(rendered(second_night, "junit"))
    tally = statuses(second_night)
    assert len(cases) == len(second_night.cells) - tally[Status.PASS] + 1
    assert sum(tags == ["failure"] for tags in cases.values()) == tally[Status.FAIL]
    monkeypatch.setattr(junit, "MOST_ELEMENTS", 60)
    text = rendered(second_night, "junit")
    assert f"{len(second_night.cells) - len(junit_cases(text)) + 1} cells do not fit into this file" in text
    assert len(text.encode()) <= len(whole) // 2
    assert sum(1 for _ in ET.fromstring(text).iter()) <= 60


def test_junit_has_no_character_that_xml_forbids(tmp_path: Path) -> None:
    error = "".join(map(chr, [*range(0x20), 0x7F, 0x85, 0xD800, 0xFFFE, 0xFFFF, 0x1F600]))
    told = summarise(ledgers.write_run(tmp_path, [ledgers.attempt(CELL, Outcome.FAIL, error=error)]))
    (message,) = (one.attrib["message"] for one in ET.fromstring(rendered(told, "junit")).iter("error"))
    assert message.startswith(r"undetermined: \x00\x01")
    assert message.endswith("\\ufffe\\uffff\U0001f600")


def test_twelve_thousand_cells_keep_to_the_limits(large: Summary) -> None:
    text = rendered(large, "junit")
    assert len(junit_cases(text)) == len(large.cells) == 12_600
    assert len(text.encode()) < junit.MOST_BYTES / 5
    assert len(encoded(summary.render(large.run, large.cells))) < summary.MOST_BYTES / 10


# KTAP


def test_ktap_is_as_its_specification_says(either_night: Summary) -> None:
    tests = ktap_reader.read(rendered(either_night, "ktap"))
    leaves = [leaf for pair in tests for leaf in pair.subtests]
    found = Counter((leaf.ok, leaf.directive) for leaf in leaves)
    tally = statuses(either_night)
    assert found == {
        (True, None): tally[Status.PASS],
        (False, None): tally[Status.FAIL],
        (False, "ERROR"): tally[Status.LAB] + tally[Status.UNDETERMINED],
        (True, "SKIP"): tally[Status.SKIP] + tally[Status.FLAKY],
    }
    assert all(leaf.said for leaf in leaves if leaf.directive or not leaf.ok)


def test_ktap_blames_a_pair_only_for_what_failed(second_night: Summary) -> None:
    seen: dict[tuple[bool, str | None], set[frozenset[str]]] = {}
    for pair in ktap_reader.read(rendered(second_night, "ktap")):
        below = frozenset(f"{leaf.ok} {leaf.directive}" for leaf in pair.subtests)
        seen.setdefault((pair.ok, pair.directive), set()).add(below)
    assert all("False None" in below for below in seen[False, None])
    assert all("False None" not in below and "False ERROR" in below for below in seen[False, "ERROR"])
    assert all(below <= {"True None", "True SKIP"} for below in seen[True, None])


def test_ktap_of_a_run_that_was_cut_short_is_not_ok(tmp_path: Path) -> None:
    facts = ledgers.run_facts((OLD, NEW), ("redis",), 7) | {"finished": None}
    told = summarise(ledgers.write_run(tmp_path, [ledgers.attempt(CELL)], facts=facts))
    pair, missing = ktap_reader.read(rendered(told, "ktap"))
    assert (pair.name, pair.ok) == (f"trixie/cold/{OLD}->{NEW}", True)
    assert (missing.ok, missing.directive, missing.said) == (False, "ERROR", "6 planned cells have no result")


def test_a_guest_writes_no_line_and_no_directive_of_ktap(tmp_path: Path) -> None:
    name = "x # SKIP\nok 2 forged"
    tried = [ledgers.attempt(replace(CELL, scenario=name), Outcome.ERROR, error="a # XFAIL\nok 3 b")]
    (pair,) = ktap_reader.read(rendered(summarise(ledgers.write_run(tmp_path, tried)), "ktap"))
    (leaf,) = pair.subtests
    assert (leaf.ok, leaf.directive, pair.directive) == (False, "ERROR", "ERROR")
    assert leaf.name == r"x \x23 SKIP\x0aok 2 forged"


@pytest.mark.parametrize(
    "wrong",
    [
        "KTAP version 1\n1..2\nok 1 a\n", "KTAP version 1\n1..1\nok 2 a\n", "TAP version 13\n1..1\nok 1 a\n",
        "KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n  not ok 1 b\nok 1 a\n", "KTAP version 1\nok 1 a\n",
        "KTAP version 1\n1..1\nok 1 a # ERROR x\n", "KTAP version 1\n1..1\nok 1 a\nok 2 b\n",
        "KTAP version 1\n1..1\nok 1 a # b # c\n1..1\n",
    ],
)  # fmt: skip
def test_the_reader_of_ktap_is_strict(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"plan|expected|version line|subtest is not|that is ok|no result"):
        ktap_reader.read(wrong)


# KCIDB


@pytest.mark.parametrize(
    "which", ["second_night", "hostile_night", "large"], ids=["night", "hostile", "large"]
)
def test_kcidb_is_valid(request: pytest.FixtureRequest, which: str) -> None:
    kcidb_schema = pytest.importorskip("kcidb_io").schema
    told: Summary = request.getfixturevalue(which)
    document = json.loads(rendered(told, "kcidb"))
    latest = kcidb_schema.LATEST
    assert (latest.major, latest.minor) >= (5, 3)
    latest.validate(document)
    assert {one["id"] for one in document["builds"]} >= {one["build_id"] for one in document["tests"]}
    assert {one["id"] for one in document["checkouts"]} >= {one["checkout_id"] for one in document["builds"]}
    tests = {one["id"]: one for one in document["tests"]}
    assert len(tests) == len(told.cells)
    issues = {one["id"] for one in document["issues"]}
    assert issues == {one["issue_id"] for one in document["incidents"]}
    assert all(tests[one["test_id"]]["status"] == "FAIL" for one in document["incidents"])
    assert len(document["incidents"]) == statuses(told)[Status.FAIL]


def test_kcidb_validation_would_fail(second_night: Summary) -> None:
    latest = pytest.importorskip("kcidb_io").schema.LATEST
    document = json.loads(rendered(second_night, "kcidb"))
    document["tests"][0]["path"] = "criu -> cold"
    with pytest.raises(Exception, match="criu -> cold"):
        latest.validate(document)


def kcidb_test(told: Summary, cell: Cell) -> dict[str, Any]:
    (found,) = (one for one in json.loads(rendered(told, "kcidb"))["tests"] if one["id"].endswith(f"/{cell}"))
    assert isinstance(found, dict)
    return found


def build_of(label: str) -> str:
    return f"kmatrix:{ledgers.identity(label).sha256[:24]}"


def test_kcidb_blames_the_kernel_on_which_it_happened(tmp_path: Path) -> None:
    back = Cell("trixie", "cold", "redis", NEW, OLD)
    lab = replace(CELL, scenario="tcp")
    controls = [ledgers.attempt(Cell("trixie", "cold", "redis", label, label)) for label in (OLD, NEW)]
    tried = [
        *controls,
        ledgers.attempt(CELL, Outcome.FAIL, phase=Phase.DUMP, error=DUMP),
        ledgers.attempt(back, Outcome.FAIL, phase=Phase.RESTORE, error=ledgers.ERRORS[0][1]),
        ledgers.attempt(lab, Outcome.ERROR, phase=Phase.RESTORE, error="no guest"),
    ]
    told = summarise(ledgers.write_run(tmp_path, tried))
    dump, restore, broke = (kcidb_test(told, cell) for cell in (CELL, back, lab))
    sha = {label: ledgers.identity(label).sha256 for label in (OLD, NEW)}
    assert len(set(sha.values())) == 2
    assert (dump["status"], dump["misc"]["source_build_id"]) == ("FAIL", dump["build_id"])
    assert (restore["status"], restore["misc"]["destination_build_id"]) == ("FAIL", restore["build_id"])
    assert restore["misc"]["expected"] is True
    assert "expected" not in dump["misc"]
    assert broke["status"] == "MISS"
    assert dump["path"] == "criu.cold.redis"
    issues = json.loads(rendered(told, "kcidb"))["issues"]
    design = [one for one in issues if one["misc"].get("blame") == "design"]
    assert [one["culprit"] for one in design] == [{"code": False, "tool": False, "harness": False}]


# The badge


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colour", [badge.GREEN, badge.RED, badge.AMBER, badge.GREY, "#33383f"])
def test_white_can_be_read_on_the_badge(colour: str) -> None:
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5


def test_the_badge_has_its_words_for_those_who_see_no_picture(either_night: Summary) -> None:
    root = ET.fromstring(rendered(either_night, "badge"))
    words, _ = badge.state(either_night.run, either_night.cells, either_night.comparison)
    assert "new breakage" in words
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == f"{badge.NAME}: {words}"
    tags = {element.tag.partition("}")[2] for element in root.iter()}
    assert tags == {"svg", "title", "rect", "g", "text"}
    (title,) = (element.text for element in root.iter() if element.tag.endswith("title"))
    assert title is not None
    assert "compatible" in title


@pytest.mark.parametrize(
    ("outcomes", "planned", "finished", "expected"),
    [
        ([Outcome.PASS] * 2, 2, True, ("100 %", badge.GREEN)),
        ([Outcome.PASS] * 2, 2, False, ("100 %, not finished", badge.GREY)),
        ([Outcome.PASS] * 2, 3, True, ("66 %, 1 without answer", badge.GREY)),
        ([Outcome.PASS] * 2 + [Outcome.ERROR], 3, True, ("66 %, 1 without answer", badge.GREY)),
        ([Outcome.PASS] * 299 + [Outcome.FLAKY], 300, True, ("99 %, 1 without answer", badge.GREY)),
        ([], 3, True, ("no results", badge.GREY)),
    ],
)  # fmt: skip
def test_the_badge_is_green_only_when_all_is_well(
    tmp_path: Path, outcomes: list[Outcome], planned: int, finished: bool, expected: tuple[str, str]
) -> None:
    tried = [ledgers.attempt(replace(CELL, scenario=f"s{n}"), outcome) for n, outcome in enumerate(outcomes)]
    facts = ledgers.run_facts((OLD, NEW), ("redis",), planned)
    facts["finished"] = facts["finished"] if finished else None
    told = summarise(ledgers.write_run(tmp_path, tried, facts=facts))
    assert badge.state(told.run, told.cells) == expected


def test_a_failure_is_never_green(tmp_path: Path) -> None:
    cell = Cell("trixie", "cold", "redis", NEW, NEW)
    told = summarise(ledgers.write_run(tmp_path, [ledgers.attempt(cell, Outcome.FAIL, phase=Phase.DUMP)]))
    assert told.planned == 1
    assert badge.state(told.run, told.cells) == ("0 %, 1 fail", badge.AMBER)


# The terminal


def test_the_terminal_tells_what_changed_and_whether_it_is_fair(
    second_night: Summary, hostile_night: Summary
) -> None:
    text = second_night.text()
    changed = text.partition(str(second_night.run.directory))[2].partition("\n")[2]
    assert re.match(r"\n\d+ new breakages against 20261120-200000-beef", changed)
    assert "The two runs are alike in all but their kernels." in changed
    assert "another kernel: debian-6.6 was 6.6.7-cloud-amd64" in changed
    assert re.search(r"^regression · \d+ cells$", changed, re.M)
    assert re.search(r"^still failing · \d+ cells, \d+ of them for another reason$", changed, re.M)
    assert re.search(r"^no answer any more · \d+ cells$", changed, re.M)
    assert "Not a fair comparison" in hostile_night.text()
    assert all(line.isprintable() for line in hostile_night.text().splitlines())
