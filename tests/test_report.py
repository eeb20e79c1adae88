"""Reports of synthetic runs: whole, half-finished, empty, enormous and hostile."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import ledgers
import pytest
from rich.cells import cell_len

from harness.errors import ConfigError, HarnessError
from harness.matrix import schema
from harness.matrix.cell import Cell, Outcome, Phase, Reason
from harness.matrix.ledger import KernelIdentity
from harness.report import frames, rundir, terminal
from harness.report.show import show
from harness.report.write import summarise, write_reports
from harness.verdict.verdict import Verdict

LABELS = tuple(label for label, _, _ in ledgers.KERNELS)
FORWARD = Cell("trixie", "cold", "redis", "debian-6.1-oldest", "debian-6.12")
BACKWARD = Cell("trixie", "cold", "redis", "debian-6.12", "debian-5.10")
SOCKETS = "Error (criu/sockets.c:628): sockets: Can't set 1:72 (len 4): Protocol not available"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The quick profile's shape: five kernels, six scenarios, controls, some reds."""
    return ledgers.write_run(tmp_path / "run", list(ledgers.attempts(LABELS, ledgers.SCENARIOS)))


class Page(HTMLParser):
    """What a browser would make of a page: its elements, links, anchors and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.scripts = 0
        self._ours = False
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.anchors: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.scripts += tag == "script"
        self._ours = tag in ("script", "style")
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        self.anchors += [value or "" for name, value in attrs if name == "id"]

    def handle_endtag(self, tag: str) -> None:
        self._ours = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._ours else data


def test_squares_count_passes_and_name_the_worst(tmp_path: Path) -> None:
    tried = [
        ledgers.attempt(FORWARD),
        ledgers.attempt(replace(FORWARD, scenario="tcp"), Outcome.FLAKY),
        ledgers.attempt(replace(FORWARD, scenario="cpu"), Outcome.SKIP),
        ledgers.attempt(BACKWARD, Outcome.FAIL, final=False),
        ledgers.attempt(BACKWARD, Outcome.ERROR, attempt=2),
        ledgers.attempt(Cell.baseline("trixie", "redis", "debian-6.12")),
        ledgers.attempt(replace(FORWARD, scenario="pipes"), Outcome.FAIL, final=False),
    ]
    cells = summarise(ledgers.write_run(tmp_path, tried)).cells
    assert len(cells) == 5
    assert cells.set_index("cell").loc[str(BACKWARD), "attempts"] == 2
    assert frames.lookup(frames.squares(cells)) == {
        ("trixie", FORWARD.source, FORWARD.destination): (1, 3, "flaky"),
        ("trixie", BACKWARD.source, BACKWARD.destination): (0, 1, "error"),
    }
    assert frames.lookup(frames.squares(cells, baselines=True)) == {
        ("trixie", "debian-6.12", "debian-6.12"): (1, 1, "pass")
    }


def test_causes_join_what_only_numbers_tell_apart(tmp_path: Path) -> None:
    tried = [
        ledgers.attempt(
            replace(FORWARD, scenario=f"s{n}"), Outcome.FAIL, phase=Phase.RESTORE,
            error=f"Error (criu/cr-restore.c:1480): {n} killed by signal 11: Segmentation fault",
        )
        for n in range(1, 4)
    ]  # fmt: skip
    tried += [ledgers.attempt(BACKWARD, Outcome.FAIL, phase=Phase.DUMP, error=SOCKETS)]
    tried += [
        ledgers.attempt(replace(BACKWARD, scenario=f"s{n}"), Outcome.SKIP, error="no") for n in range(9)
    ]
    causes = frames.causes(summarise(ledgers.write_run(tmp_path, tried)).cells)
    found = [(c.outcome, c.phase, len(c.cells)) for c in causes]
    assert found == [(Outcome.FAIL, "dump", 1), (Outcome.FAIL, "restore", 3), (Outcome.SKIP, "check", 9)]
    assert [cause.worst for cause in causes] == [
        Verdict.SOURCE_BROKEN,
        Verdict.UNDETERMINED,
        Verdict.WORKLOAD_NEEDS,
    ]


def test_kernels_are_in_the_plans_order_and_else_by_version(tmp_path: Path) -> None:
    tried = [
        ledgers.attempt(Cell("trixie", "cold", "cpu", source, "debian-6.12"))
        for source in ("k-6.10", "k-6.9", "debian-5.10", "debian-6.1-oldest")
    ]
    planned = ledgers.write_run(tmp_path / "a", tried)
    assert rundir.load(planned).kernels == [*LABELS, "k-6.9", "k-6.10"]
    bare = ledgers.write_run(tmp_path / "b", tried, facts={})
    assert rundir.load(bare).kernels == ["debian-5.10", "debian-6.1-oldest", "k-6.9", "k-6.10", "debian-6.12"]


def test_terminal_fits_and_says_everything_without_colour(run: Path) -> None:
    text = write_reports(run).text()
    assert "\x1b" not in text
    assert max(map(cell_len, text.splitlines()[:-1])) <= 100
    assert re.search(r"debian-5\.10 +✓ 6/6 pass ", text)
    assert "baseline" in text
    assert re.search(r"^✗ .*source broken · in dump · \d+ cells", text, re.M)
    assert SOCKETS in text
    assert re.search(r"^180 cells: \d+ pass, \d+ fail", text, re.M)
    assert text.endswith(f"{run / 'index.html'}\n")


def test_terminal_colour_changes_nothing_but_colour(run: Path) -> None:
    summary = summarise(run)
    coloured = summary.text(colour=True)
    assert "\x1b[31m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == summary.text()


@pytest.mark.parametrize(
    ("tty", "environ", "wanted"),
    [
        (True, {}, True), (False, {}, False), (True, {"NO_COLOR": "1"}, False), (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
    ],
)  # fmt: skip
def test_colour_only_for_a_terminal(tty: bool, environ: dict[str, str], wanted: bool) -> None:
    stream = io.StringIO()
    stream.isatty = lambda: tty  # type: ignore[method-assign]
    assert terminal.wants_colour(stream, environ) is wanted


def test_terminal_stays_bounded(tmp_path: Path) -> None:
    tried = [
        ledgers.attempt(replace(FORWARD, scenario=f"s{n}"), Outcome.FAIL, error=f"cause {chr(97 + n % 26)}x")
        for n in range(520)
    ]
    text = summarise(ledgers.write_run(tmp_path, tried)).text()
    assert len(text.splitlines()) < 200
    assert "… and 14 more" in text
    assert "… and 14 more causes with 280 cells" in text


def test_page_is_useful_without_its_script(run: Path) -> None:
    write_reports(run)
    page = Page((run / "index.html").read_text("utf-8"))
    inner = {link[1:] for link in page.links if link.startswith("#")}
    assert inner <= set(page.anchors)
    assert len(page.anchors) == len(set(page.anchors))
    assert page.tags.isdisjoint({"img", "iframe", "object", "form"})
    assert page.attributes.isdisjoint({"style", "onclick", "onload"})
    for fact in ("Haswell-noTSX", "tcg", "0:03:41", "6.1.0-10-cloud-amd64", "ab" * 32, "qemu 7.2.19"):
        assert fact in page.text
    cells = summarise(run).cells
    for scenario in set(cells.loc[cells["verdict"] == str(Verdict.SOURCE_BROKEN), "scenario"]):
        assert re.search(rf"\b{scenario}\b", page.text)
    square = cells[(cells["source"] == "debian-5.10") & (cells["destination"] == "debian-7.3")]
    good = (square["verdict"] == str(Verdict.COMPATIBLE)).sum()
    assert f"{good}/{len(square)}" in page.text


def test_page_shows_where_a_kernel_came_from(tmp_path: Path) -> None:
    facts = ledgers.run_facts(LABELS, ledgers.SCENARIOS, 1)
    facts["plan"]["kernels"][0]["provenance"] = {
        "package": ["linux-binary", "linux-modules"],
        "suite": "bullseye",
        "sha256": {"config": "c0ffee"},
        "origin": None,
    }  # fmt: skip
    write_reports(ledgers.write_run(tmp_path, [ledgers.attempt(FORWARD)], facts=facts))
    assert schema.check_run(tmp_path) == []
    shown = Page((tmp_path / "index.html").read_text("utf-8")).text
    for told in ("package", "linux-binary", "linux-modules", "bullseye", "c0ffee"):
        assert told in shown


def test_page_policy_holds_exactly_its_style_and_script(run: Path) -> None:
    write_reports(run)
    text = (run / "index.html").read_text("utf-8")
    policy = ["default-src 'none'"]
    for kind, start in (("style-src", "<style>"), ("script-src", "<script>")):
        assert text.count(start) == 1
        inner = text.partition(start)[2].partition(f"</{start[1:]}")[0]
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        policy.append(f"{kind} 'sha256-{digest}'")
    assert f'content="{"; ".join([*policy, "img-src data:", "base-uri", "form-action"])}' in text.replace(
        "base-uri 'none'", "base-uri"
    ).replace("form-action 'none'", "form-action")


@pytest.mark.parametrize("text", ledgers.HOSTILE, ids=range(len(ledgers.HOSTILE)))
def test_hostile_text_is_shown_and_never_obeyed(tmp_path: Path, text: str) -> None:
    name = text.replace("/", "|")[:80]
    cell = Cell("trixie", "cold", f"s{name}", "debian-6.12", f"k{name}")
    tried = [
        ledgers.attempt(
            cell, Outcome.FAIL, phase=Phase.RESTORE, error=f"Error (criu/x.c:1): {text}", criu=text, cpu=text,
            logs={text[:80]: f"logs/{text[:80]}", "js": "javascript:alert(1)", "up": "../../etc/passwd"},
        )
    ]  # fmt: skip
    facts = ledgers.run_facts(LABELS, ledgers.SCENARIOS, 1)
    facts["host"] = {text: text}
    facts["id"] = text
    run = ledgers.write_run(tmp_path / "run", tried, facts=json.loads(json.dumps(facts)))
    summary = write_reports(run)
    for line in [*summary.text().splitlines(), *show(run, str(cell)).splitlines()]:
        assert line.isprintable()
    raw = (run / "index.html").read_bytes()
    page = Page(raw.decode("utf-8"))
    assert len(raw) < 250_000
    assert "img" not in page.tags
    assert page.scripts == 2
    assert "onerror" not in page.attributes
    assert all(char.isprintable() or char == "\n" for char in page.text)
    assert all(link.startswith(("#", "./", "data:image/svg+xml,")) for link in page.links)
    assert not any(".." in link for link in page.links)
    (record,) = json.loads((run / "matrix.json").read_bytes())["cells"]
    assert record["error"] == f"Error (criu/x.c:1): {text}"
    assert not schema.problems(json.loads((run / "matrix.json").read_bytes()), "matrix")


def test_csv_has_no_formulas_and_every_cell(tmp_path: Path) -> None:
    tried = [
        ledgers.attempt(FORWARD, Outcome.FAIL, error="=1+1\n\x1b"),
        ledgers.attempt(BACKWARD, Outcome.FAIL),
    ]
    run = ledgers.write_run(tmp_path, tried)
    write_reports(run)
    rows = list(csv.DictReader(io.StringIO((run / "matrix.csv").read_text("utf-8"))))
    assert [row["error"] for row in rows] == ["'=1+1\\x0a\\x1b", ""]
    assert tuple(rows[0]) == frames.COLUMNS
    assert rows[0]["image_bytes"] == "2345678"


def test_empty_and_half_finished_runs_are_reported(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "0 cells: none has ended yet" in write_reports(empty).text()
    assert "No cell has ended yet." in (empty / "index.html").read_text()
    facts = ledgers.run_facts(LABELS, ledgers.SCENARIOS, 150) | {"finished": None}
    half = ledgers.write_run(tmp_path / "half", [ledgers.attempt(FORWARD)], facts=facts)
    with (half / "results.jsonl").open("a") as file:
        file.write('{"schema": 1, "ce')
    assert "1 of 150 cells: 1 pass  (the run has not finished)" in write_reports(half).text()
    assert "149 have no result" in (half / "index.html").read_text()
    assert schema.check_run(half) == []


def test_no_run_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no run at"):
        write_reports(tmp_path / "nowhere")
    (tmp_path / "results.jsonl").write_text("{}\n")
    with pytest.raises(HarnessError, match="no run that can be read"):
        write_reports(tmp_path)


def test_a_report_is_replaced_whole(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_reports(run)
    before = {path.name: path.read_bytes() for path in run.iterdir()}

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.report.rundir.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_reports(run)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_show_has_the_evidence(tmp_path: Path) -> None:
    logs = {
        "restore": "logs/restore.log",
        "console": "logs/console.log",
        "commands": "logs/commands",
        "x": "no",
    }
    first = ledgers.attempt(
        BACKWARD, Outcome.FAIL, phase=Phase.RESTORE, error=SOCKETS, logs=logs, final=False
    )
    run = ledgers.write_run(tmp_path, [first, replace(first, attempt=2, final=True)])
    (run / "logs").mkdir()
    noise = [f"(00.{n:06d})     37: doing {n}" for n in range(200)]
    noise[100] = f"(00.000100)     37: {SOCKETS}"
    (run / "logs/restore.log").write_text("\n".join(noise))
    (run / "logs/console.log").write_bytes(b"[ 1.0] boot\n" * 50 + b"\x1b[31mOops\xff\n")
    (run / "logs/commands").write_text("criu restore -v4 -D /work/img\n")
    text = show(run, str(BACKWARD).replace("→", "->"))
    assert "attempt 1: ✗ fail in restore" in text
    assert "attempt 2 (its last word): ✗ fail in restore" in text
    assert f"  > (00.000100)     37: {SOCKETS}" in text
    assert "doing 94" in text
    assert "doing 93" not in text
    assert "| \\x1b[31mOops\ufffd" in text
    assert "| criu restore -v4 -D /work/img" in text
    assert "6.12.48-cloud-amd64 (6.12.117-1) sha256 0" in text
    assert f"{run}/no  (not there)" in text


def test_show_says_what_is_known_of_a_cell(tmp_path: Path) -> None:
    udplite = "sockets: Sockects collect procedure family AF_INET proto IPPROTO_UDPLITE: -2"
    cell = Cell("trixie", "cold", "redis", "new", "new")
    newest = KernelIdentity("7.3.4+deb13-cloud-amd64", "7.3.4-1", "e" * 64)
    red = ledgers.attempt(
        cell,
        Outcome.FAIL,
        phase=Phase.DUMP,
        reason=Reason.CRIU,
        error=udplite,
        kernels={"source": newest, "destination": newest},
    )
    text = show(ledgers.write_run(tmp_path, [red]), str(cell))
    assert "  known       udplite-diag: UDP-Lite is gone from sock_diag\n" in text
    assert "  fixed in    CRIU 4.2.1\n" in text
    assert "  sources     criu#3002, " in text


def test_show_reads_nothing_outside_the_run(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret")
    logs = {"a": "../secret", "b": str(tmp_path / "secret"), "c": "link", "d": "\x00", "e": "x" * 5000}
    run = ledgers.write_run(tmp_path / "run", [ledgers.attempt(FORWARD, logs=logs)])
    (run / "link").symlink_to(tmp_path / "secret")
    assert "s3cret" not in show(run, str(FORWARD))


def test_show_of_an_unknown_cell_names_its_neighbours(run: Path) -> None:
    with pytest.raises(ConfigError, match="has no cell") as caught:
        show(run, str(replace(FORWARD, scenario="rediss")))
    assert str(FORWARD) in str(caught.value.hint)
    with pytest.raises(ConfigError, match="is not USERLAND"):
        show(run, "nonsense")


def test_twelve_thousand_cells_take_seconds(tmp_path: Path) -> None:
    kernels = tuple(f"debian-6.{n}" for n in range(20))
    scenarios = tuple(f"scenario{n}" for n in range(30))
    tried = list(ledgers.attempts(kernels, scenarios))
    run = ledgers.write_run(tmp_path, tried, kernels=kernels, scenarios=scenarios)
    start = time.process_time()
    summary = write_reports(run)
    text = summary.text()
    assert len(summary.cells) == 12_600
    assert (run / "index.html").stat().st_size < 1_000_000
    assert max(map(cell_len, text.splitlines()[:-1])) <= 100
    # Measured 5 s for all formats on a busy machine; the bound only tells seconds from minutes.
    assert time.process_time() - start < 30
