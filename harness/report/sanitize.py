"""Text from a guest made harmless and visible: the one function through which all of it is shown.

A guest can print anything. On a terminal an escape sequence can retitle, recolour or erase; anywhere, a
bidirectional control can make a line read as something else than it says, and an invisible character can hide
in a name.
"""

from __future__ import annotations

import re

LINE = 2000
"""Characters of one line that are worth showing; a longer one is cut, and says by how much."""

_UNSAFE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: what drives a terminal, ESC and the 8-bit CSI among them
    "\xad\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2\u180e"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # zero width, bidi, line and paragraph ends
    "\ufffe\uffff"  # no characters at all, and no XML takes them
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0001\U000e0020-\U000e007f"
    "\ud800-\udfff"  # lone surrogates: bytes that were not UTF-8, and no file or terminal takes them
    "]"
)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if match[0] == "\t":
        return " "
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def visible(text: str, limit: int | None = LINE) -> str:
    """One line, safe on a terminal and in a file: controls become `\\x1b`, `\\u202e`; a tab becomes a space.

    `limit` is in characters, before escaping; None shows all of it.
    """
    if limit is not None and len(text) > limit:
        return f"{visible(text[:limit], None)}… (+{len(text) - limit} characters)"
    return _UNSAFE.sub(_escape, text)


def visible_lines(text: str, limit: int | None = LINE) -> list[str]:
    """The same for text of several lines, with `limit` for each; only `\\n` and `\\r\\n` end a line."""
    return [visible(line.removesuffix("\r"), limit) for line in text.split("\n")]


def slug(text: str, limit: int = 120) -> str:
    """A name for a folder: what a file system and a shell take as one plain word, never hidden, never `..`."""
    return re.sub(r"[^A-Za-z0-9.+_-]+", "-", text).strip("-.")[:limit].rstrip("-.") or "report"
