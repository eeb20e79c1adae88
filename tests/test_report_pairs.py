"""The table scenario × kernel pair, read back from the Markdown that people will publish."""

from __future__ import annotations

from pathlib import Path

import ledgers
import pytest

from harness.matrix.cell import Cell, Outcome, Phase
from harness.report import pairs
from harness.report.write import write_reports

OLD, NEW = "debian-6.1-oldest", "debian-6.12"
REFUSED = "Error (criu/sockets.c:628): sockets: Can't set 1:72 (len 4): Protocol not available"


def attempts() -> list[ledgers.Attempt]:
    fail = {"phase": Phase.RESTORE, "error": REFUSED}
    return [
        ledgers.attempt(Cell.baseline("trixie", "tcp", OLD)),
        ledgers.attempt(Cell.baseline("trixie", "tcp", NEW), Outcome.SKIP, error="tcp needs CONFIG_INET"),
        ledgers.attempt(Cell("trixie", "cold", "tcp", OLD, OLD)),
        ledgers.attempt(Cell("trixie", "cold", "tcp", OLD, NEW), Outcome.FLAKY),
        ledgers.attempt(Cell("trixie", "cold", "tcp", NEW, OLD), Outcome.FAIL, **fail),
        ledgers.attempt(Cell("trixie", "cold", "cpu", NEW, OLD), Outcome.FAIL, **fail),
    ]


def table(text: str) -> dict[str, dict[str, str]]:
    """The rows of the first table whose first column is `scenario`."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| scenario"))
    head, _, *rest = lines[start:]
    rows = {}
    for line in rest:
        if not line.startswith("|"):
            break
        words = [word.strip() for word in line.strip("|").split("|")]
        rows[words[0]] = dict(
            zip([w.strip() for w in head.strip("|").split("|")][1:], words[1:], strict=True)
        )
    return rows


def test_every_pair_has_its_glyph_and_every_red_its_reason(tmp_path: Path) -> None:
    write_reports(ledgers.write_run(tmp_path / "run", attempts()))
    text = (tmp_path / "run" / pairs.FILE).read_text()
    number = {
        label: next(line.split("|")[1].strip() for line in text.splitlines() if f"| {label} " in line)
        for label in (OLD, NEW)
    }
    old, new = number[OLD], number[NEW]
    rows = table(text)
    assert list(rows) == ["cpu", "tcp"]
    assert rows["tcp"] == {
        f"b{old}": "✓",
        f"b{new}": "–",
        f"{old}→{old}": "✓",
        f"{old}→{new}": "~",
        f"{new}→{old}": "✗",
        f"{new}→{new}": "·",
    }
    assert "in restore, 2 cells" in text
    assert f"  - scenarios: cpu, tcp\n  - moves: {NEW}→{OLD}" in text or (
        f"  - scenarios: tcp, cpu\n  - moves: {NEW}→{OLD}" in text
    )
    assert "tcp needs CONFIG\\_INET" in text


@pytest.mark.parametrize(
    "said", ["| a | b |", "<script>", "[x](javascript:alert(1))", "`code`", "# head\x1b[m"]
)
def test_what_a_guest_says_is_no_markup(tmp_path: Path, said: str) -> None:
    made = ledgers.attempt(Cell("trixie", "cold", "tcp", OLD, NEW), Outcome.FAIL, error=said)
    write_reports(ledgers.write_run(tmp_path / "run", [made]))
    text = (tmp_path / "run" / pairs.FILE).read_text()
    line = next(line for line in text.splitlines() if "1 cells: " in line)
    said_line = line.partition("1 cells: ")[2]
    for character in "|<[`#":
        assert said_line.replace(f"\\{character}", "").count(character) == 0
    assert "\x1b" not in text
