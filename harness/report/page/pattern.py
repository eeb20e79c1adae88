"""Texts that hold a cell's own names, with the names taken out: thousands of cells then share a few texts."""

from __future__ import annotations

from harness.matrix.cell import Cell

_OPEN, _CLOSE = "\x02", "\x03"
"""`sanitize.visible` leaves neither in a text, so a guest cannot write a placeholder."""

NUMBER = f"{_OPEN}#{_CLOSE}"
"""Stands for the next number of a list."""


def names(cell: Cell, attempt: int = 0) -> list[tuple[str, str]]:
    """What stands for which of a cell's names, longest first; `script/texts.js` puts them back."""
    found = {
        f"{cell.userland}/{cell.mode}/{cell.scenario}/": "c",
        cell.source: "s",
        cell.destination: "d",
        cell.scenario: "n",
        f"/{attempt}/": "a",
    }
    return [(text, mark) for text, mark in sorted(found.items(), key=lambda item: -len(item[0])) if text]


def take_out(text: str, names: list[tuple[str, str]]) -> str:
    """The text with a placeholder for each name in it; reading the placeholders back gives the text again."""
    for name, mark in names:
        if name in text:
            text = _outside(text, name, f"{_OPEN}{mark}{_CLOSE}")
    return text


def _outside(text: str, name: str, placeholder: str) -> str:
    """Replace a name, but not within a placeholder that is there already."""
    pieces = text.split(_OPEN)
    done = [pieces[0].replace(name, placeholder)]
    for piece in pieces[1:]:
        mark, _, rest = piece.partition(_CLOSE)
        done.append(f"{mark}{_CLOSE}{rest.replace(name, placeholder)}")
    return _OPEN.join(done)
