"""A kernel's taint: whose hand it was, in the letters of Documentation/admin-guide/tainted-kernels.rst."""

from __future__ import annotations

from dataclasses import dataclass

from harness.guests.dmesg import TAINTS, cell_part

_LETTERS = "PFSRMBUDAWCIOELKXTNJ"
"""By bit."""
_OWN = sum(1 << bit for bit in TAINTS)
"""What a kernel sets on itself when something goes wrong in it."""


@dataclass(frozen=True)
class Taint:
    """A kernel's taint when the cell began and when it ended; None where the logs do not say."""

    begins: int | None
    ends: int | None

    @property
    def known(self) -> bool:
        """Whether the logs say anything."""
        return self.begins is not None

    @property
    def foreign(self) -> int:
        """The bits that make a report worthless: those set before the cell, and those that no fault sets."""
        return (self.begins or 0) | ((self.ends or 0) & ~_OWN)

    def __str__(self) -> str:
        """In words, e.g. `0 (not tainted)` or `0 when the cell began, 512 (W) when it ended`."""
        if self.begins is None:
            return "unknown: the logs of this run do not say"
        if self.ends is None or self.ends == self.begins:
            return _number(self.begins)
        return f"{_number(self.begins)} when the test began, {_number(self.ends)} when it ended"


def read(text: str) -> Taint:
    """The taint at the marks in a guest's `dmesg`."""
    taints = cell_part(text).taints
    return Taint(taints.get("begins"), taints.get("ends"))


def letters(taint: int) -> str:
    """The letters of the bits that are set, e.g. `OE`."""
    return "".join(_letter(bit) for bit in range(taint.bit_length()) if taint >> bit & 1)


def _letter(bit: int) -> str:
    return _LETTERS[bit] if bit < len(_LETTERS) else f"[bit {bit}]"


def _number(taint: int) -> str:
    return f"{taint} ({letters(taint)})" if taint else "0 (not tainted)"
