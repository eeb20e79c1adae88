"""Reports in Markdown, as a reader of Markdown understands them, and filled with the worst of text."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from markdown_it import MarkdownIt
from second_nights import rendered

from harness.report import markdown, summary
from harness.report.markup import code, plain
from harness.report.write import Summary


def tokens(text: str) -> Iterator[str]:
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        yield token.type
        yield from (child.type for child in token.children or ())


@pytest.mark.parametrize("name", ["summary", "markdown"])
def test_markdown_holds_no_markup_of_a_guest(hostile_night: Summary, name: str) -> None:
    text = rendered(hostile_night, name)
    kinds = set(tokens(text))
    assert kinds.isdisjoint(
        {"html_block", "html_inline", "link_open", "image", "fence", "code_block", "em_open"}
    )
    assert "table_open" in kinds
    # every table has as many fields in a row as its head has
    for table in re.findall(r"(?:^\|.*\n)+", text, re.M):
        assert len({row.replace("\\|", "").count("|") for row in table.splitlines()}) == 1


@pytest.mark.parametrize(
    "text",
    ["`", "``` x", "a`b``c", "www.example.org", "http://example.org", "@somebody", "#1", "a|b", "*x*", "", " ", "1. x"],
)  # fmt: skip
def test_a_code_span_is_one_whole_token(text: str) -> None:
    for made in (code(text), plain(text)):
        (inline,) = (t for t in MarkdownIt("commonmark").parse(f"x {made} y") if t.type == "inline")
        parts = [child for child in inline.children or () if child.content.strip() not in ("x", "y", "")]
        assert [p.type for p in parts] in (["code_inline"], []) or made == text
    assert "://" not in plain(text) or plain(text).startswith("`")


def test_a_plain_name_stays_as_it_is() -> None:
    assert (
        plain("debian-6.1-oldest → debian-6.12 (6.1.170-1), 5 %")
        == "debian-6.1-oldest → debian-6.12 (6.1.170-1), 5 %"
    )
    assert plain("a_b_c") == "`a_b_c`"
    assert plain("www.example.org") == "`www.example.org`"
    assert code("a|b`") == "`` a\\x7cb` ``"


def test_the_summary_says_the_state_first_and_then_counts(second_night: Summary) -> None:
    lines = rendered(second_night, "summary").splitlines()
    assert re.match(r"### \d+ new breakages against 20261120-200000-beef, \d+ fixed", lines[0])
    assert lines[2].startswith("| userland")
    headings = [line for line in lines if line.startswith("## ")]
    assert headings == ["## Since 20261120-200000-beef", "## What did not pass", "## trixie, CRIU 4.1.1"]


@pytest.mark.parametrize("room", [1_000, 3_000, 10_000])
def test_a_summary_that_is_too_long_is_cut_and_says_so(
    either_night: Summary, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "MOST_BYTES", room)
    text = rendered(either_night, "summary")
    assert len(text.encode()) <= room
    assert re.search(r"Cut here: [\d,]+ more lines do not fit\. matrix\.json and matrix\.md", text)


def test_the_markdown_matrix_has_every_square(second_night: Summary) -> None:
    text = "\n".join(markdown.matrices(second_night.run, second_night.cells))
    rows = [line for line in text.splitlines() if line.startswith("| debian-")]
    assert len(rows) == 8
    assert all(row.count("|") == 8 + 3 for row in rows)
    assert all(len(re.findall(r"[✓✗~!–] \d+/\d+", row)) == 8 + 1 for row in rows)
