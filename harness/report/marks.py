"""How verdicts look wherever they are drawn: a glyph, a pattern and a colour each, so that no one of them is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.verdict.verdict import Verdict


@dataclass(frozen=True)
class Mark:
    """One verdict's look. The colours are CSS: a background and what is written on it, in a light and a dark theme."""

    glyph: str
    pattern: str
    """Lines over the background: an SVG path that repeats every 8 pixels; empty for none."""
    light: tuple[str, str]
    dark: tuple[str, str]


MARKS: Mapping[Verdict, Mark] = {
    # After Okabe and Ito. The worst stand out by lightness as well, which every eye sees: dark on a light page,
    # bright on a dark one.
    Verdict.STATE_CHANGED: Mark("≠", "M0 8L8 0", ("#97186a", "#ffffff"), ("#ec8cc6", "#2c0420")),
    Verdict.KERNEL_CRASH: Mark("‼", "M0 8L8 0M0 0L8 8", ("#1c1f25", "#ffffff"), ("#f1f2f5", "#14161a")),
    Verdict.CROSS_KERNEL_BREAKAGE: Mark("✗", "", ("#b93f08", "#ffffff"), ("#ef7039", "#1c0900")),
    Verdict.DESTINATION_BROKEN: Mark("D", "M4 0V8", ("#ffe3bf", "#693b00"), ("#46300f", "#ffcb86")),
    Verdict.SOURCE_BROKEN: Mark("S", "M0 4H8", ("#ffe3bf", "#693b00"), ("#46300f", "#ffcb86")),
    Verdict.BACKWARD_ONLY: Mark("←", "M0 0L8 8", ("#faf1bd", "#594b00"), ("#393310", "#ecdd80")),
    Verdict.UNDETERMINED: Mark("?", "M2 2h1M6 6h1", ("#eee8f7", "#4c3776"), ("#2c2540", "#cdbcf3")),
    Verdict.LAB_ERROR: Mark("!", "M0 2H8M0 6H8", ("#f4f4f6", "#3a3d46"), ("#202329", "#d2d6dd")),
    Verdict.FLAKY: Mark("~", "M0 4L2 2L6 6L8 4", ("#dbecfa", "#094a76"), ("#11324b", "#93cdf6")),
    Verdict.WORKLOAD_NEEDS: Mark("–", "", ("#edeff2", "#50565f"), ("#24272d", "#aeb5bf")),
    Verdict.COMPATIBLE: Mark("✓", "", ("#e2f3ed", "#0a5743"), ("#14362c", "#86dcc0")),
}


def style(verdict: Verdict) -> str:
    """The verdict's class of CSS: `v-state-changed`."""
    return "v-" + str(verdict).replace(" ", "-")


MARK_CSS = "".join(
    f".{style(verdict)} {{ --fill: light-dark({mark.light[0]}, {mark.dark[0]}); "
    f"--text: light-dark({mark.light[1]}, {mark.dark[1]}) }}\n"
    for verdict, mark in MARKS.items()
)
"""A class a verdict that says which background and which ink are its own."""
