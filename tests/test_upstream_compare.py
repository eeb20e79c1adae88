"""What the script of a draft concludes from the reports before and after."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.upstream.compare import main as compare
from harness.witness import advance


def facts(ticks: int, **changes: object) -> str:
    said = {
        "pid": 7,
        "remembered_pid": 7,
        "nonce": "ab",
        "ticks": ticks,
        "chain": advance(5, ticks),
        "size": 3,
    }
    return json.dumps(said | {"mismatches": []} | changes)


@pytest.mark.parametrize(
    ("before", "after", "code", "words"),
    [
        (facts(4), facts(9), 0, "came back whole"),
        (facts(4), facts(9, size=4), 1, "size"),
        (facts(4), facts(9, mismatches=["byte 3"]), 1, "byte 3"),
        (facts(4), facts(2), 1, "counter did not go on"),
        (facts(4), "", 1, "does not answer"),
        ("", facts(9), 125, "cannot be tried"),
    ],
)
def test_what_the_script_concludes(
    before: str, after: str, code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = {"case.json": '{"moving": [], "own_check": false}', "before.json": before, "after.json": after}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    assert compare([str(tmp_path / name) for name in texts]) == code
    assert words in capsys.readouterr().out
