"""Nothing that a guest prints drives a terminal or hides."""

from __future__ import annotations

import sys
import unicodedata

import ledgers
import pytest

from harness.report.sanitize import visible, visible_lines


def test_every_control_and_format_character_is_escaped() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            assert visible(character).isprintable(), hex(code)


@pytest.mark.parametrize("text", ledgers.HOSTILE, ids=range(len(ledgers.HOSTILE)))
def test_hostile_text_becomes_printable(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert len(shown) < 2100


def test_escapes_can_be_read() -> None:
    assert visible("\x1b[31mred\x9b0m\x00") == "\\x1b[31mred\\x9b0m\\x00"
    assert visible("\u202eabc\U000e0041\udc80") == "\\u202eabc\\U000e0041\\udc80"
    assert visible("a\tb → é 日本") == "a b → é 日本"


def test_a_long_line_says_what_is_missing() -> None:
    assert visible("x" * 10, 4) == "xxxx… (+6 characters)"
    assert visible("x" * 5000, None) == "x" * 5000


def test_lines_end_at_newlines_only() -> None:
    assert visible_lines("a\r\nb\x0bc\u2028d\re") == ["a", "b\\x0bc\\u2028d\\x0de"]
