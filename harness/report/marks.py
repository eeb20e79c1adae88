"""How verdicts look wherever they are drawn: a glyph, a pattern and a colour each, so that no one of them is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.verdict.verdict import Verdict


@dataclass(frozen=True)
class Mark:
    """One verdict's look. The colours are CSS, a background and what is written on it, in a light and a dark theme."""

    glyph: str
    pattern: str
    """Lines over the background: an SVG path that repeats every 8 pixels; empty for none."""
    light: tuple[str, str]
    dark: tuple[str, str]


_DARK_INK, _LIGHT_INK = "#17171b", "#ffffff"

MARKS: Mapping[Verdict, Mark] = {
    # The worst stand out by lightness as well, which every eye sees: dark on a light page, bright on a dark one.
    Verdict.STATE_CHANGED: Mark("≠", "M0 8L8 0", ("#7a0d4e", _LIGHT_INK), ("#ff9ccf", _DARK_INK)),
    Verdict.KERNEL_CRASH: Mark("#", "M0 8L8 0M0 0L8 8", ("#26262e", _LIGHT_INK), ("#f4f4f8", _DARK_INK)),
    Verdict.CROSS_KERNEL_BREAKAGE: Mark("✗", "", ("#b34700", _LIGHT_INK), ("#ff8a4c", _DARK_INK)),
    Verdict.DESTINATION_BROKEN: Mark("D", "M4 0V8", ("#f0a56a", _DARK_INK), ("#8a4a14", _LIGHT_INK)),
    Verdict.SOURCE_BROKEN: Mark("S", "M0 4H8", ("#f4b98a", _DARK_INK), ("#7d4a22", _LIGHT_INK)),
    Verdict.BACKWARD_ONLY: Mark("←", "M0 0L8 8", ("#f6d58a", _DARK_INK), ("#66501a", _LIGHT_INK)),
    Verdict.UNDETERMINED: Mark("?", "M2 2h1M6 6h1", ("#c4c4d2", _DARK_INK), ("#5a5a68", _LIGHT_INK)),
    Verdict.LAB_ERROR: Mark("!", "M0 2H8M0 6H8", ("#d8cdf0", _DARK_INK), ("#4b3d73", _LIGHT_INK)),
    Verdict.FLAKY: Mark("~", "M0 4L2 2L6 6L8 4", ("#f3ec9c", _DARK_INK), ("#5c5608", _LIGHT_INK)),
    Verdict.WORKLOAD_NEEDS: Mark("–", "", ("#e6e6ec", _DARK_INK), ("#35353f", _LIGHT_INK)),
    Verdict.COMPATIBLE: Mark("✓", "", ("#c3e8dc", _DARK_INK), ("#1c4a3e", _LIGHT_INK)),
}


def slug(verdict: Verdict) -> str:
    """The verdict as a word of CSS: `state-changed`."""
    return str(verdict).replace(" ", "-")


def variables(theme: str) -> str:
    """CSS variables `--v-SLUG` and `--v-SLUG-ink` of every verdict; `theme` is `light` or `dark`."""
    return "".join(
        f"--v-{slug(verdict)}:{back};--v-{slug(verdict)}-ink:{ink};"
        for verdict, mark in MARKS.items()
        for back, ink in (mark.light if theme == "light" else mark.dark,)
    )
