"""Pictures: well formed, honest about what they show, safe whatever a name holds, readable in both themes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import ledgers
import pandas as pd
import pytest

from harness.matrix.cell import Cell
from harness.matrix.ledger import Attempt
from harness.report import charts, heatmap, svg
from harness.report.chart_style import CHART_CSS
from harness.report.charts import Chart, RunCounts
from harness.report.frames import cell_states
from harness.report.marks import MARKS, style
from harness.report.rundir import load
from harness.report.verdicts import judge
from harness.verdict.verdict import Verdict

SVG = "{http://www.w3.org/2000/svg}"


def moved(scenario: str, source: str = "a", destination: str = "b", **changes: Any) -> Attempt:  # noqa: ANN401
    return ledgers.attempt(Cell("trixie", "cold", scenario, source, destination), **changes)


def parsed(chart: Chart | None) -> ElementTree.Element:
    assert chart is not None
    return ElementTree.fromstring(chart.svg)


def texts(root: ElementTree.Element) -> list[str]:
    return [node.text or "" for node in root.iter(f"{SVG}text")]


def frame(*rows: tuple[str, str, Verdict]) -> pd.DataFrame:
    return pd.DataFrame(
        [{"source": s, "destination": d, "verdict": str(v), "baseline": False} for s, d, v in rows]
    )


def night(number: int, compatible: int, **more: int) -> RunCounts:
    verdicts = {Verdict.COMPATIBLE: compatible} | {Verdict[name]: count for name, count in more.items()}
    return RunCounts(f"run {number}", f"2026-11-{number:02}T20:00:00Z", verdicts)


def of_hostile_names() -> Iterator[Chart | None]:
    tried = [
        moved(name, source=f"from {name}", destination=name, seconds={"restore": 0.5, name: 1.0})
        for name in ledgers.HOSTILE
    ]
    yield charts.phase_times(tried)
    yield charts.dump_times(tried)
    yield charts.image_sizes(tried)
    cells = [(f"from {name}", name, Verdict.KERNEL_CRASH) for name in ledgers.HOSTILE]
    labels = [label for source, destination, _ in cells for label in (source, destination)]
    yield heatmap.heat_map(frame(*cells), labels, ledgers.HOSTILE[0])
    yield charts.pass_rates([RunCounts(name, name, {Verdict.COMPATIBLE: 1}) for name in ledgers.HOSTILE])


def test_whatever_a_name_holds_a_picture_is_small_well_formed_and_nothing_but_shapes_and_words() -> None:
    allowed = {
        "svg",
        "title",
        "desc",
        "text",
        "line",
        "rect",
        "g",
        "circle",
        "polyline",
        "defs",
        "pattern",
        "path",
    }
    for chart in of_hostile_names():
        root = parsed(chart)
        assert chart is not None
        assert {node.tag.removeprefix(SVG) for node in root.iter()} <= allowed | {"use"}
        attributes = {name for node in root.iter() for name in node.attrib}
        assert not {name for name in attributes if name.startswith("on") or name == "style"}
        assert len(chart.svg) < 60_000
        assert not re.search("[\x00-\x1f\x7f-\x9f\u202e\ud800-\udfff\ufffe\uffff]", chart.svg)


def test_a_picture_has_a_name_and_says_what_is_drawn_and_ids_are_its_own() -> None:
    seen: list[str] = []
    for chart in of_hostile_names():
        root = parsed(chart)
        assert chart is not None
        assert root.get("role") == "img"
        named = (root.get("aria-labelledby") or "").split()
        by_id = {node.get("id"): node for node in root.iter() if node.get("id")}
        assert [by_id[id].tag for id in named] == [f"{SVG}title", f"{SVG}desc"]
        assert by_id[named[0]].text
        seen += [id for id in by_id if id]
    assert len(seen) == len(set(seen))


def test_two_matrices_of_one_page_share_no_id() -> None:
    cells = frame(("a", "b", Verdict.STATE_CHANGED))
    one, other = (parsed(heatmap.heat_map(cells, ["a", "b"], title)) for title in ("trixie", "forky"))
    ids = [{node.get("id") for node in root.iter() if node.get("id")} for root in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_the_same_run_gives_the_same_picture() -> None:
    tried = list(ledgers.attempts(("a", "b"), ("cpu", "tcp")))
    assert charts.phase_times(tried) == charts.phase_times(iter(tried))


def test_phases_are_told_in_their_order_with_median_and_extremes() -> None:
    tried = [moved("cpu", seconds={"restore": n / 100, "boot": 9.0, "guest": 99.0}) for n in range(101)]
    chart = charts.phase_times(tried)
    assert chart is not None
    assert chart.table.head[:5] == ("phase", "values", "least", "quarter", "median")
    assert chart.table.rows[0][:2] == ("boot", "101")
    assert chart.table.rows[1] == ("restore", "101", "0", "250 ms", "500 ms", "750 ms", "950 ms", "1 s")
    assert len(chart.table.rows) == 2, "what ran in the guest is part of the phases and no phase"
    assert "logarithmic" in " ".join(texts(parsed(chart)))


def test_a_box_stands_where_its_figures_are() -> None:
    chart = charts.phase_times([moved("cpu", seconds={"restore": n / 10}) for n in range(11)])
    root = parsed(chart)
    box = next(node for node in root.iter(f"{SVG}rect"))
    ticks = {
        node.text: float(node.get("x", "nan"))
        for node in root.iter(f"{SVG}text")
        if "mid" in node.get("class", "")
    }
    a_second = ticks["1 s"] - ticks["0"]
    assert float(box.get("x", "nan")) - ticks["0"] == pytest.approx(a_second * 0.25, abs=0.2)
    assert float(box.get("width", "nan")) == pytest.approx(a_second * 0.5, abs=0.2)


def test_one_dump_that_was_restored_everywhere_counts_once() -> None:
    tried = [moved("cpu", "a", to, dump_seconds=0.2, image_bytes=1_000_000) for to in "abcdef"]
    tried += [moved("cpu", "b", "a", dump_seconds=0.6, image_bytes=3_000_000)]
    for chart in (charts.dump_times(tried), charts.image_sizes(tried)):
        assert chart is not None
        assert chart.table.rows[0][:2] == ("cpu", "2")
    assert [row[4] for row in charts.image_sizes(tried).table.rows] == ["2 MB"]  # type: ignore[union-attr]


def test_a_ledger_that_does_not_say_how_long_dumps_took_has_no_picture_of_it() -> None:
    assert charts.dump_times([moved("cpu", dump_seconds=None)]) is None
    assert charts.image_sizes([moved("cpu", image_bytes=None)]) is None
    assert charts.phase_times([moved("cpu", seconds={})]) is None
    assert charts.pass_rates([]) is None
    assert heatmap.heat_map(frame(("a", "b", Verdict.FLAKY)).iloc[:0], ["a"]) is None


def test_many_scenarios_are_the_largest_ones_and_the_rest_in_one_row() -> None:
    tried = [moved(f"s{n:02}", image_bytes=1000 * (n + 1)) for n in range(50)]
    chart = charts.image_sizes(tried)
    assert chart is not None
    assert [row[0] for row in chart.table.rows[:2]] == ["s49", "s48"]
    assert chart.table.rows[-1][:2] == ("30 smaller scenarios", "30")
    assert len(chart.table.rows) == 21


def test_a_size_of_nothing_does_not_break_the_scale() -> None:
    for sizes in ((0,), (0, 0), (0, 5_000_000), (1,)):
        chart = charts.image_sizes([moved(f"s{n}", image_bytes=size) for n, size in enumerate(sizes)])
        assert "nan" not in parsed(chart).get("viewBox", "") + (chart.svg if chart else "")


def test_the_pass_rate_is_of_cells_that_got_an_answer() -> None:
    runs = [night(1, 90, SOURCE_BROKEN=10, LAB_ERROR=50), night(2, 0, LAB_ERROR=3), night(3, 99, FLAKY=1)]
    chart = charts.pass_rates(runs)
    assert chart is not None
    assert [row[2:] for row in chart.table.rows] == [
        ("90.0 %", "90", "10", "50"),
        ("no answer", "0", "0", "3"),
        ("99.0 %", "99", "1", "0"),
    ]
    root = parsed(chart)
    assert len(list(root.iter(f"{SVG}circle"))) == 2, "a run without an answer has no rate"
    assert "99.0 %" in texts(root)


def test_only_the_last_runs_are_drawn() -> None:
    chart = charts.pass_rates([night(n, n) for n in range(1, 29)], most=5)
    assert chart is not None
    assert [row[0] for row in chart.table.rows] == [f"run {n}" for n in range(24, 29)]
    assert "5 runs" in chart.title


def test_a_square_shows_its_worst_verdict_however_few_cells_have_it() -> None:
    rows = [("a", "b", Verdict.COMPATIBLE)] * 99 + [("a", "b", Verdict.STATE_CHANGED)]
    rows += [("b", "a", Verdict.WORKLOAD_NEEDS), ("b", "b", Verdict.COMPATIBLE)]
    chart = heatmap.heat_map(frame(*rows), ["a", "b", "c"])
    assert chart is not None
    assert chart.table.rows == (
        ("a", "", "99 of 100 compatible, worst state changed"),
        ("b", "0 of 1 compatible, worst workload needs", "1 of 1 compatible, worst compatible"),
    )
    root = parsed(chart)
    assert "99/100" in texts(root)
    assert len([n for n in root.iter() if "chart-diagonal" in n.get("class", "")]) == 1
    legend = [said for said in texts(root) if said in {str(verdict) for verdict in Verdict}]
    assert legend == ["state changed", "workload needs", "compatible"]
    used = {node.get("href") for node in root.iter(f"{SVG}use")}
    assert used == {f"#{node.get('id')}" for node in root.iter(f"{SVG}g") if node.get("id")}


def test_baselines_are_in_no_square(tmp_path: Path) -> None:
    run = load(ledgers.write_run(tmp_path / "run", list(ledgers.attempts(("a", "b"), ("cpu",)))))
    found = heatmap.squares(cell_states(run, judge(run)))
    assert {pair: square.total for pair, square in found.items()} == dict.fromkeys(
        (("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")), 1
    )


def test_a_picture_is_a_file_of_its_own_that_brings_its_style() -> None:
    chart = heatmap.heat_map(frame(("a", "b", Verdict.FLAKY)), ["a", "b"])
    assert chart is not None
    root = ElementTree.fromstring(charts.standalone(chart))
    assert root[0].tag == f"{SVG}style"
    assert "color-scheme" in (root[0].text or "")
    assert style(Verdict.FLAKY) in (root[0].text or "")


def luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """As WCAG 2 has it."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_verdicts_ink_can_be_read_in_both_themes(verdict: Verdict) -> None:
    for back, ink in (MARKS[verdict].light, MARKS[verdict].dark):
        assert contrast(back, ink) >= 4.5


def test_no_two_verdicts_look_alike_without_colour() -> None:
    assert len({mark.glyph for mark in MARKS.values()}) == len(Verdict)
    hatches = [mark.pattern for mark in MARKS.values() if mark.pattern]
    assert len(hatches) == len(set(hatches)) >= 6


@pytest.mark.parametrize("theme", [0, 1])
def test_text_and_marks_of_charts_stand_out_from_the_page(theme: int) -> None:
    declared = re.findall(r"--(chart-\w+): light-dark\((#\w+), (#\w+)\)", CHART_CSS)
    colours = {name: values[theme] for name, *values in declared}
    for name, least in (
        ("chart-ink", 7),
        ("chart-soft", 4.5),
        ("chart-1", 3),
        ("chart-2", 3),
        ("chart-3", 3),
    ):
        assert contrast(colours[name], colours["chart-back"]) >= least, name


def test_every_class_that_is_drawn_has_a_rule() -> None:
    drawn: set[str] = set()
    runs = [night(1, 90, SOURCE_BROKEN=10, LAB_ERROR=50), night(3, 99, FLAKY=1)]
    all_verdicts = heatmap.heat_map(
        frame(*(("a", "b", verdict) for verdict in Verdict), ("a", "a", Verdict.FLAKY)), ["a", "b"]
    )
    tried = [moved(f"s{n}", image_bytes=1000 * (n + 1)) for n in range(50)]
    for chart in (
        all_verdicts,
        charts.image_sizes(tried),
        charts.phase_times(tried),
        charts.pass_rates(runs),
    ):
        drawn |= {word for node in parsed(chart).iter() for word in node.get("class", "").split()}
    assert {word for word in drawn if f".{word}" not in CHART_CSS} == set()
    assert len(drawn) > 15


@pytest.mark.parametrize(
    ("low", "high", "log", "ticks"),
    [
        (0.2, 2.2, False, (0.0, 0.5, 1.0, 1.5, 2.0, 2.5)),
        (0.01, 9.0, True, (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)),
        (1e3, 9e8, True, (1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9)),
        (3, 3, False, (0.0, 1.0, 2.0, 3.0)),
        (0, 0, False, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
    ],
)
def test_an_axis_has_round_numbers_and_holds_all_values(
    low: float, high: float, log: bool, ticks: tuple[float, ...]
) -> None:
    scale = svg.Scale.over(low, high, 100, 500)
    assert scale.log is log
    assert scale.ticks == pytest.approx(ticks)
    assert scale.low <= low <= high <= scale.high
    assert (scale(scale.low), scale(scale.high)) == (100, 500)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"),
        (0.0032, "3.2 ms"),
        (0.1404, "140 ms"),
        (0.9996, "1 s"),
        (2.346, "2.35 s"),
        (61.4, "61.4 s"),
        (1234, "1,230 s"),
    ],
)
def test_seconds_in_words(value: float, said: str) -> None:
    assert svg.seconds(value) == said


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0"), (512, "512 B"), (999_700, "1 MB"), (2_345_678, "2.35 MB"), (3e12, "3 TB")]
)
def test_bytes_in_words(value: float, said: str) -> None:
    assert svg.size(value) == said


def test_a_long_label_keeps_its_beginning_and_its_end() -> None:
    assert svg.shortened("zdtm-static-something-very-long-name-3", 20) == "zdtm-static-…-name-3"
    assert svg.shortened("redis", 20) == "redis"


def test_the_matrix_as_a_file_says_if_the_run_has_not_finished(tmp_path: Path) -> None:
    """Its squares are green where all that has ended passed, and nobody sees what is missing."""
    tried = [ledgers.attempt(Cell("trixie", "cold", "cpu", "a", "b"))]
    facts = ledgers.run_facts(("a", "b"), ("cpu",), 1)
    done = load(ledgers.write_run(tmp_path / "done", tried, facts=facts))
    going = load(ledgers.write_run(tmp_path / "going", tried, facts=facts | {"finished": None}))
    drawn, warned = (heatmap.render(run, cell_states(run, judge(run))) for run in (done, going))
    assert "not finished" not in drawn
    assert "This run has not finished" in warned
    assert "1 of 1 compatible" in drawn
    nothing = load(ledgers.write_run(tmp_path / "nothing", [], facts=facts))
    assert "No cell has a result." in heatmap.render(nothing, cell_states(nothing, judge(nothing)))
