"""The page in a real browser: the matrix by keyboard, filters, cells, permalinks, the clipboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import ledgers
import pytest
from playwright.sync_api import Page, expect

from harness.matrix.cell import Cell, Outcome, Phase
from harness.report.write import Summary, summarise, write_reports
from harness.verdict.known import load
from harness.verdict.signature import normalize
from harness.verdict.verdict import Verdict

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
BREAKAGE = str(Verdict.CROSS_KERNEL_BREAKAGE)


@pytest.fixture(scope="module")
def summary(night: Path) -> Summary:
    """What the page should say."""
    return summarise(night)


def focused(page: Page) -> str:
    """What a screen reader would say of the focused element."""
    return str(
        page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.id")
    )


def view(page: Page) -> str:
    return unquote(str(page.evaluate("location.hash")))


def matching(page: Page) -> int:
    """How many cells the page says that it shows."""
    return int(re.sub(r"\D", "", page.locator("#matched [role=status]").inner_text().split(" of ")[0]))


def test_every_square_counts_what_the_ledger_says(
    browser_report: Open, night: Path, summary: Summary
) -> None:
    page = browser_report(night)
    moves = summary.cells[~summary.cells["baseline"]]
    squares = page.locator("[role=gridcell]")
    shown = {
        squares.nth(at).get_attribute("aria-label"): squares.nth(at).inner_text()
        for at in range(squares.count())
    }
    assert len(shown) == 7 * 8
    for (source, destination), cells in moves.groupby(["source", "destination"]):
        good = int((cells["verdict"] == str(Verdict.COMPATIBLE)).sum())
        worst = max((Verdict(verdict) for verdict in cells["verdict"]), key=lambda verdict: verdict.rank)
        (label,) = [label for label in shown if label and label.startswith(f"{source} → {destination}: ")]
        assert f"{good} of {len(cells)} compatible" in label
        assert label.endswith("compatible" if worst is Verdict.COMPATIBLE else f"worst: {worst}")
        assert shown[label].endswith(f"{good}/{len(cells)}")


def test_forward_is_above_the_diagonal_and_backward_below(browser_report: Open, night: Path) -> None:
    page = browser_report(night)
    told = page.locator("[role=gridcell]").evaluate_all(
        "all => all.map(one => [one.parentElement.dataset.row, one.dataset.at - 1, one.getAttribute('aria-label')])"
    )
    for row, column, label in told:
        way = (
            "baseline" if column < 0
            else "diagonal" if int(row) == column
            else "forward" if int(row) < column
            else "backward"
        )  # fmt: skip
        assert f" {way}" in label or f": {way}" in label


def test_the_grid_is_one_tab_stop_that_arrows_walk(browser_report: Open, night: Path) -> None:
    page = browser_report(night)
    assert page.locator('[role=gridcell][tabindex="0"]').count() == 1
    page.locator('[role=gridcell][tabindex="0"]').focus()
    assert focused(page).startswith("debian-5.10, baseline")
    page.keyboard.press("ArrowRight")
    assert focused(page).startswith("debian-5.10 → debian-5.10: diagonal")
    page.keyboard.press("ArrowDown")
    assert focused(page).startswith("debian-5.15 → debian-5.10: backward")
    page.keyboard.press("End")
    assert focused(page).startswith("debian-5.15 → debian-6.5: forward")
    page.keyboard.press("Control+End")
    assert focused(page).startswith("debian-6.5 → debian-6.5")
    page.keyboard.press("ArrowRight")
    assert focused(page).startswith("debian-6.5 → debian-6.5")
    page.keyboard.press("Home")
    assert focused(page).startswith("debian-6.5, baseline")
    page.keyboard.press("Control+Home")
    assert focused(page).startswith("debian-5.10, baseline")
    assert page.locator('[role=gridcell][tabindex="0"]').count() == 1
    expect(page.locator("#readout")).to_contain_text("debian-5.10, baseline")


def test_from_a_square_to_a_cell_and_back_by_keyboard(browser_report: Open, night: Path) -> None:
    page = browser_report(night)
    page.locator('[role=gridcell][tabindex="0"]').focus()
    page.keyboard.press("Control+End")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("#drawer-title")).to_have_text("debian-6.4 → debian-6.5")
    assert view(page) == "#at=debian-6.4~debian-6.5"
    page.locator("#drawer .cells a").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#drawer-title")).to_contain_text("debian-6.4")
    assert "&cell=trixie/cold/" in view(page)
    page.keyboard.press("Escape")
    expect(page.locator("#drawer-title")).to_have_text("debian-6.4 → debian-6.5")
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).not_to_be_visible()
    assert focused(page).startswith("debian-6.4 → debian-6.5")


def test_keys_for_query_and_help(browser_report: Open, night: Path) -> None:
    page = browser_report(night)
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    expect(page.locator("#help")).to_contain_text("dst:")
    page.keyboard.press("Escape")
    expect(page.locator("#help")).not_to_be_visible()
    page.keyboard.press("/")
    assert focused(page) == "Query"
    page.keyboard.type("verdict:state?")
    expect(page.locator("#help")).not_to_be_visible()


def test_a_chip_filters_and_is_seen_everywhere(browser_report: Open, night: Path, summary: Summary) -> None:
    page = browser_report(night)
    chip = page.locator(f'#legend button[data-verdict="{BREAKAGE}"]')
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "true")
    broken = summary.cells[summary.cells["verdict"] == BREAKAGE]
    assert matching(page) == len(broken) > 10
    assert page.locator("#query").input_value() == f'verdict:"{BREAKAGE}"'
    assert page.locator("tr[role=row][data-row]").count() == broken["source"].nunique()
    assert (
        page.locator("#causes tr[data-cause]:visible").count()
        == broken.groupby(["phase", "signature"]).ngroups
    )
    page.locator("#words button").click()
    assert matching(page) == len(summary.cells)
    assert page.locator("#query").input_value() == ""
    page.locator("#pick-scenario").select_option("tcp")
    assert matching(page) == int((summary.cells["scenario"] == "tcp").sum())
    assert view(page) == "#q=scenario:tcp"


def test_any_two_axes_span_the_grid(browser_report: Open, night: Path, summary: Summary) -> None:
    page = browser_report(night)
    page.locator("#span-rows").select_option("scenario")
    assert view(page) == "#rows=scenario"
    assert page.locator("tr[role=row][data-row]").count() == summary.cells["scenario"].nunique()
    page.locator("#span-rows").select_option("destination")
    assert view(page) == "#rows=destination&cols=scenario"
    page.go_back()
    expect(page.locator("#span-rows")).to_have_value("scenario")
    label = page.locator("[role=gridcell]").nth(2).get_attribute("aria-label")
    assert label is not None
    assert re.match(r"\w+, to debian-5\.15: \d+ of \d+ compatible", label)


def test_a_permalink_opens_fresh_with_all_evidence(
    browser_report: Open, night: Path, summary: Summary
) -> None:
    cell = summary.cells[(summary.cells["verdict"] == BREAKAGE) & (summary.cells["phase"] == "restore")].iloc[
        0
    ]
    page = browser_report(night, f"#cell={cell['cell']}")
    sheet = page.locator("#drawer")
    expect(sheet.locator("p.verdict").first).to_contain_text(BREAKAGE)
    expect(sheet.locator(".why")).to_have_text(cell["why"][0].upper() + cell["why"][1:])
    expect(sheet.locator(".ended")).to_have_text(cell["error"])
    marked = sheet.locator(".log mark")
    expect(marked).to_have_count(1)
    line = marked.inner_text()
    assert normalize(line[line.index("Error (") :]) == cell["signature"]
    expect(sheet.locator(".copy code").first).to_have_text(f"kmatrix repro '{cell['cell']}'")
    expect(sheet.locator(".attempts tr")).to_have_count(cell["attempts"])
    final = summary.run.final[next(one for one in summary.run.final if str(one) == cell["cell"])]
    for identity in final.kernels.values():
        expect(sheet).to_contain_text(identity.sha256)
    for name, path in final.logs.items():
        assert sheet.get_by_role("link", name=f"{name} log").last.get_attribute("href") == f"./{path}"
    for phase, seconds in final.seconds.items():
        if phase != "guest":
            expect(sheet.locator(".phases").last).to_contain_text(f"{phase} {seconds:.2f} s")
    assert sheet.locator(".controls a").count() == 4
    assert sheet.locator('.mini [aria-current="true"]').count() == 1


def test_commands_of_a_cause_are_at_hand(browser_report: Open, tmp_path: Path) -> None:
    cell = Cell("trixie", "cold", "redis", "debian-6.1-oldest", "debian-6.12")
    logs = {"commands": "logs/commands.log"}
    tried = [
        ledgers.attempt(cell, Outcome.FAIL, phase=Phase.RESTORE, error="Error (criu/x.c:1): no", logs=logs)
    ]
    run = ledgers.write_run(tmp_path, tried)
    (run / "logs").mkdir()
    (run / "logs" / "commands.log").write_text("criu restore -v4 -D /work/img <b>\n")
    write_reports(run)
    page = browser_report(run, f"#cell={cell}")
    expect(page.locator("#drawer .log pre").last).to_contain_text("criu restore -v4 -D /work/img <b>")


def test_what_is_known_of_a_cell_is_told(browser_report: Open, night: Path, summary: Summary) -> None:
    entries = {entry.id: entry for entry in load()}
    known = summary.cells[summary.cells["known"].notna()]
    assert not known.empty
    for _, cell in known.drop_duplicates("known").iterrows():
        page = browser_report(night, f"#cell={cell['cell']}")
        panel = page.locator("#drawer .panel.facts")
        entry = entries[cell["known"]]
        for text in (entry.id, entry.title, entry.cause, cell["remedy"], *entry.sources):
            if text:
                expect(panel).to_contain_text(" ".join(text.split()))
        log = summary.run.final[next(one for one in summary.run.final if str(one) == cell["cell"])].logs[
            cell["phase"]
        ]
        href = page.locator("#drawer .attempts a", has_text=cell["phase"]).last.get_attribute("href")
        assert href == f"./{log}"
        assert (night / log).is_file()


def test_a_view_that_was_sent_is_the_same_elsewhere(
    browser_report: Open, night: Path, summary: Summary
) -> None:
    query, cells = "verdict:breakage,flaky dst:>=6.2 -scenario:tcp", summary.cells
    wanted = cells[
        cells["verdict"].isin([BREAKAGE, str(Verdict.FLAKY)])
        & cells["destination"].isin(["debian-6.2", "debian-6.3", "debian-6.4", "debian-6.5"])
        & (cells["scenario"] != "tcp")
    ]
    assert wanted["verdict"].nunique() == 2
    page = browser_report(night)
    page.keyboard.press("/")
    page.keyboard.type(query)
    page.keyboard.press("Enter")
    expect(page.locator("#matched")).to_contain_text(" match.")
    page.locator("#span-rows").select_option("scenario")
    page.locator("[role=gridcell]:not(.v-none)").last.click()
    expect(page.locator("#drawer")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("#list").click()
    page.locator("#drawer .cells a").nth(1).click()
    expect(page.locator("#drawer .why")).to_be_visible()
    sent = str(page.evaluate("location.hash"))
    other = browser_report(night, sent)
    for part in ("#matched", "#matrix-grid", "#drawer", "#words"):
        assert other.locator(part).inner_text() == page.locator(part).inner_text()
    causes = page.locator("#causes tr[data-cause]:not([hidden])").all_text_contents()
    assert other.locator("#causes tr[data-cause]:not([hidden])").all_text_contents() == causes
    assert len(causes) > 1
    assert other.locator("#query").input_value() == query
    assert matching(other) == len(wanted)
    assert other.locator("#span-rows").input_value() == "scenario"
    page.go_back()
    expect(page.locator("#drawer-title")).to_have_text(re.compile(r"\d+ cells"))
    page.go_back()
    expect(page.locator("#drawer")).not_to_be_visible()
    page.go_forward()
    expect(page.locator("#drawer")).to_be_visible()


def test_every_cell_has_its_own_error(browser_report: Open, night: Path, summary: Summary) -> None:
    page = browser_report(night)
    failed = summary.cells[summary.cells["error"].notna()]
    assert failed["error"].nunique() > 50
    for _, cell in failed.iloc[:: len(failed) // 12].iterrows():
        page.evaluate("cell => { location.hash = `#cell=${cell}` }", cell["cell"])
        expect(page.locator(".ended")).to_have_text(cell["error"])


def test_the_repro_line_is_copied_or_else_selected(
    browser_report: Open, night: Path, summary: Summary
) -> None:
    name = summary.cells["cell"].iloc[-1]
    page = browser_report(night, f"#cell={name}")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = page.locator(".copy button").first
    button.click()
    expect(button).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == f"kmatrix repro '{name}'"
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')) }")
    page.evaluate("() => { document.execCommand = () => false }")
    button.click()
    expect(button).to_have_text("Selected")
    assert page.evaluate("getSelection().toString()") == f"kmatrix repro '{name}'"


def test_an_address_that_leads_nowhere_says_so(browser_report: Open, night: Path) -> None:
    page = browser_report(night, "#cell=no/such/cell/at→all")
    expect(page.locator("#drawer")).to_contain_text("This run has no cell no/such/cell/at→all.")
    page = browser_report(night, "#rows=moon&colour=red&q=%E0%A4%A")
    expect(page.locator("#told")).to_contain_text("“moon”")
    expect(page.locator("#told")).to_contain_text("“colour”")


def test_changes_list_their_cells(browser_report: Open, night: Path) -> None:
    page = browser_report(night)
    row = page.locator('tr[data-change="regression"]').first
    count = int(row.locator(".count").inner_text())
    row.locator("button.count").click()
    expect(page.locator("#drawer-title")).to_have_text(f"{count} cells")
    assert page.locator("#drawer .cells a").count() == count
    assert view(page).startswith("#q=change:regression cause:")
    page.keyboard.press("Escape")
    assert matching(page) == count


def test_a_long_grid_keeps_only_the_rows_in_sight(browser_report: Open, tmp_path: Path) -> None:
    kernels, scenarios = ("debian-6.1-oldest", "debian-6.12"), tuple(f"s{n:03}" for n in range(300))
    run = ledgers.write_run(
        tmp_path, list(ledgers.attempts(kernels, scenarios)), kernels=kernels, scenarios=scenarios
    )
    write_reports(run)
    page = browser_report(run, "#rows=scenario")
    grid = page.locator("[role=grid]")
    expect(grid).to_have_attribute("aria-rowcount", "301")
    assert page.locator("tr[data-row]").count() < 60
    page.locator('[role=gridcell][tabindex="0"]').focus()
    page.keyboard.press("Control+End")
    assert focused(page).startswith("s299, to debian-6.12")
    assert page.locator("tr[data-row]").count() < 60
    for _ in range(40):
        page.keyboard.press("ArrowUp")
    assert focused(page).startswith("s259, to debian-6.12")
    expect(page.locator("tr:has(> td:focus)")).to_have_attribute("aria-rowindex", "261")


def test_earlier_runs_are_seen_in_a_cell_and_in_the_causes(browser_report: Open, tmp_path: Path) -> None:
    made = ledgers.nights(6, 12)
    made.before.write(tmp_path / "first")
    run = made.after.write(tmp_path / "second")
    (tmp_path / "latest").symlink_to("second")
    write_reports(run)
    regressed = next(cell for cell, change in made.changes.items() if change == "regression")
    page = browser_report(run, f"#cell={regressed}")
    strip = page.locator("#drawer .strip li")
    expect(strip).to_have_count(1)
    expect(strip).to_contain_text("20261120-200000-beef, 2026-11-20 20:00: compatible")
    page.keyboard.press("Escape")
    expect(page.locator("#causes thead").first).to_contain_text("First seen")
    old = page.locator("#causes tr[data-cause]", has_text="failed sys_rseq")
    expect(old).to_contain_text("2026-11-20 in 20261120-200000-beef")
    expect(page.locator("#pictures")).to_contain_text("Pass rate over the last 2 runs")
