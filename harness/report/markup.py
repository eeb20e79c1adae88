"""Untrusted text inside Markdown, so that nothing of it is markup, a link, a mention or the end of a table's field."""

from __future__ import annotations

import re

from harness.report.sanitize import visible

_PLAIN = re.compile(r"(?!www\.)[A-Za-z0-9](?:[A-Za-z0-9 .,:;→+()=%-]*[A-Za-z0-9)%])?")
"""What reads the same in any Markdown: no sign of emphasis, no address, no reference."""
_ADDRESS = re.compile(r"www\.|://")


def plain(text: str, limit: int = 200) -> str:
    """A name or a sentence as it is, if it holds nothing that means something; else in a code span."""
    if _PLAIN.fullmatch(text) and not _ADDRESS.search(text) and len(text) <= limit:
        return text
    return code(text, limit)


def code(text: str, limit: int = 200) -> str:
    """A code span: in it GitHub's Markdown knows no markup, no bare address and no mention.

    Fit for a table, where even in a code span a bar ends the field unless a backslash stands before it; so a bar is
    always shown as its own escape.
    """
    shown = visible(text, limit).replace("|", "\\x7c") or " "
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"
