"""Columns of numbers as short text, so that twelve thousand cells stay well below a megabyte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

ALPHABET = "".join(chr(code) for code in range(35, 127) if chr(code) not in "&'<>\\")
"""What neither JSON nor HTML has to escape; `script/columns.js` has the same."""


class Column(TypedDict):
    """`width` characters a number, the most significant first; width 0 if all numbers are 0."""

    width: int
    text: str


def pack(numbers: Sequence[int]) -> Column:
    """Numbers from 0 on, of any size."""
    base, most = len(ALPHABET), max(numbers, default=0)
    width = 0
    while base**width <= most:
        width += 1
    if width == 0:
        return {"width": 0, "text": ""}
    if width == 1:
        return {"width": 1, "text": "".join([ALPHABET[number] for number in numbers])}
    known: dict[int, str] = {}
    for number in numbers:
        if number not in known:
            known[number] = _digits(number, width)
    return {"width": width, "text": "".join([known[number] for number in numbers])}


def _digits(number: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


class Words:
    """Distinct words in the order in which they were first met; a column holds their places."""

    def __init__(self, words: Sequence[str] = ()) -> None:
        self._places = {word: place for place, word in enumerate(words)}

    def place(self, word: str) -> int:
        """Where a word stands; one that was never met is put at the end."""
        return self._places.setdefault(word, len(self._places))

    def __len__(self) -> int:
        """How many there are."""
        return len(self._places)

    @property
    def listed(self) -> list[str]:
        """All of them."""
        return list(self._places)
