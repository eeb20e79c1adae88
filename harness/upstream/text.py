"""Text for drafts: prose is wrapped, a guest's words never are; neither can become a header, a command or markup."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.report.sanitize import visible, visible_lines
from harness.verdict.signature import first_error

WIDTH = 72
LINE_BYTES = 990
"""RFC 5322 allows 998 octets a line, of which the line's end and an indent take some."""
_MARKUP = re.compile(r"([\\`*_{}\[\]<>|#&~@!])")
_BACKTICKS = re.compile(r"`+")
_BULLET = "- "


def paragraph(text: str, width: int = WIDTH) -> str:
    """Prose of this program's own, filled to `width`; a list's items each on lines of their own."""
    blocks = re.split(r"\n(?=- )", text.strip())
    return "\n".join(_fill(block, width) for block in blocks)


def _fill(block: str, width: int) -> str:
    indent = "  " if block.startswith(_BULLET) else ""
    return textwrap.fill(
        " ".join(block.split()),
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def cut_line(line: str, limit: int = LINE_BYTES) -> str:
    """A line of at most `limit` bytes of UTF-8; one that is cut says so and by how much."""
    data = line.encode("utf-8", "backslashreplace")
    if len(data) <= limit:
        return line
    # Room for the words with any number of digits.
    kept = data[: limit - 40].decode("utf-8", "ignore")
    return f"{kept} [cut, {len(data) - len(kept.encode())} more bytes]"


def indented(lines: Iterable[str], by: str = " ") -> str:
    """A guest's lines behind an indent: regzbot reads commands at column 0 alone."""
    return "\n".join(cut_line(f"{by}{line}" if line else "") for line in lines)


def guest_lines(text: str) -> list[str]:
    """Lines of a guest's text, made visible and whole."""
    return visible_lines(text.rstrip("\n"), None)


def around(text: str, before: int, after: int, wanted: str | None = None) -> list[str]:
    """The lines around the first true error of a log, or its end if it has none; safe to show."""
    lines = text.rstrip("\n").split("\n")
    error = wanted or first_error(text)
    found = [number for number, line in enumerate(lines) if error and error in line]
    if not found:
        return guest_lines("\n".join(lines[-(before + after) :]))
    start = max(0, found[0] - before)
    return guest_lines("\n".join(lines[start : found[0] + after + 1]))


def fenced(text: str) -> str:
    """A Markdown code block whose fence is longer than any run of backticks in it."""
    body = "\n".join(guest_lines(text))
    longest = max((len(run) for run in _BACKTICKS.findall(body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{body}\n{fence}"


def code(value: object) -> str:
    """A Markdown code span of one line, whatever backticks are in it."""
    body = visible(str(value))
    longest = max((len(run) for run in _BACKTICKS.findall(body)), default=0)
    fence = "`" * (longest + 1)
    space = " " if body[:1] == "`" or body[-1:] == "`" or not body.strip() else ""
    return f"{fence}{space}{body}{space}{fence}"


def plain(value: object) -> str:
    """One line of text in Markdown, with Markdown's own signs escaped."""
    return _MARKUP.sub(r"\\\1", visible(str(value)))


def render(template: str, values: Mapping[str, Any]) -> str:
    """A template of `harness/upstream/templates`, filled in."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("harness.upstream", "templates"),
        autoescape=False,  # mail, Markdown and shell have filters of their own
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        paragraph=paragraph,
        indented=indented,
        fenced=fenced,
        code=code,
        plain=plain,
        shown=visible,
        quote=shlex.quote,
        words=shlex.join,
    )
    return environment
