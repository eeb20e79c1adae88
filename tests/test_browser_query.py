"""The query language, asked in a real page: kinds, versions, what is not understood."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page

from harness.report.write import summarise

pytestmark = pytest.mark.browser

COUNT = "[document.querySelector('#matched [role=status]').textContent, document.querySelector('#told').textContent]"


@pytest.fixture(scope="module")
def cells(night: Path) -> pd.DataFrame:
    """What the page is asked about."""
    return summarise(night).cells


@pytest.fixture
def ask(browser_report: Callable[..., Page], night: Path) -> Callable[[str], tuple[int, str]]:
    """How many cells a query selects, and what the page says of it."""
    page = browser_report(night)

    def asked(query: str) -> tuple[int, str]:
        page.locator("#query").fill(query)
        page.locator("#query").press("Enter")
        said, told = page.evaluate(COUNT)
        words = said.replace(",", "").split()
        return int(words[1] if words[0] == "All" else words[0]), told

    return asked


def test_kinds_must_all_hold_and_values_of_one_are_alternatives(
    ask: Callable[[str], tuple[int, str]], cells: pd.DataFrame
) -> None:
    newer = ["debian-6.3", "debian-6.4", "debian-6.5"]
    is_breakage = cells["verdict"] == "cross-kernel breakage"
    cases = {
        "": cells["cell"].notna(),
        "verdict:breakage": is_breakage,
        "verdict:cross-kernel-breakage": is_breakage,
        'verdict:"state changed",flaky': cells["verdict"].isin(["state changed", "flaky"]),
        "verdict:broken": cells["verdict"].isin(["source broken", "destination broken"]),
        "dst:>=6.3": cells["destination"].isin(newer),
        "dst:>=6.3 dst:<6.5": cells["destination"].isin(newer[:2]),
        "dst:>=6.4 dst:debian-5.10": cells["destination"].isin(newer[1:]),
        "src:6.1": cells["source"] == "debian-6.1",
        "src:debian-5.*": cells["source"].isin(["debian-5.10", "debian-5.15"]),
        "verdict:breakage dst:>=6.4 scenario:cpu*": is_breakage
        & cells["destination"].isin(newer[1:])
        & cells["scenario"].str.startswith("cpu"),
        "scenario:tcp scenario:redis": cells["scenario"].isin(["tcp", "redis"]),
        "-verdict:compatible -scenario:tcp": (cells["verdict"] != "compatible") & (cells["scenario"] != "tcp"),
        "tag:network": cells["scenario"].str.match("tcp|redis"),
        "is:diagonal": cells["diagonal"],
        "is:baseline,diagonal": cells["baseline"] | cells["diagonal"],
        "direction:backward": cells["direction"] == "backward",
        "phase:dump": cells["phase"] == "dump",
        "known:so-buf-lock": cells["known"] == "so-buf-lock",
        "blame:kernel": cells["blame"] == "kernel",
        "error:seize": cells["error"].str.contains("seize", na=False),
        "seize task": cells["error"].str.contains("seize task", na=False),
        '"trixie/cold/tcp/debian-6.1→"': cells["cell"].str.startswith("trixie/cold/tcp/debian-6.1→"),
    }  # fmt: skip
    cases["dst:>=6.4 dst:debian-5.10"] |= cells["destination"] == "debian-5.10"
    for query, expected in cases.items():
        count, told = ask(query)
        assert count == int(expected.sum()), query
        assert count > 0, query
        assert told == "", query


def test_versions_are_compared_as_kernels_not_as_text(ask: Callable[[str], tuple[int, str]]) -> None:
    assert ask("src:>5.9")[0] == ask("")[0]
    assert ask("src:<5.9")[0] == 0
    assert ask("src:>=5.10.7")[0] == ask("src:>5.10-rc7")[0] == ask("")[0]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("colour:red", "“colour:” is no kind of word. There are: verdict, src, dst,"),
        ("verdict:fail", "No verdict here is “fail”. There are: compatible,"),
        ("scenario:tpc", "No scenario here is “tpc”"),
        ("dst:>=newest", "“>=newest” is no comparison with a version such as >=6.16."),
        ("src:debian-4.19", "No src kernel here is “debian-4.19”. There are: debian-5.10,"),
        ("verdict:", "“verdict:” has no value."),
        ("nonsense", "Nothing here has “nonsense” in its name or its error."),
        ("-verdict:fial", "No verdict here is “fial”."),
        ("tag:netwerk", "No scenario here has the tag “netwerk”. There are: network, object."),
        ("phase:checking", "No phase here is “checking”."),
    ],
)
def test_what_is_not_understood_is_told(ask: Callable[[str], tuple[int, str]], query: str, told: str) -> None:
    count, said = ask(query)
    assert told in said
    if not query.startswith(("-", "verdict:", "colour:")):
        assert count == 0


def test_the_manual_has_every_kind_and_every_sign(browser_report: Callable[..., Page], night: Path) -> None:
    manual = (Path(__file__).parent.parent / "docs" / "report.md").read_text()
    rows = [line for line in manual.splitlines() if line.startswith("| ")]
    page = browser_report(night)
    for kind in page.locator("#kinds dt code").all_text_contents():
        name = f"`{kind.removesuffix(':')}`"
        assert any(name in row.split("|")[1] for row in rows), kind
    for sign, verdict in page.locator("#legend button").evaluate_all(
        "all => all.map(one => [one.querySelector('.tile').textContent, one.dataset.verdict])"
    ):
        assert any(row.startswith(f"| {sign} | {verdict} |") for row in rows), verdict
