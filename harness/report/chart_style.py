"""CSS of the pictures: colours by theme as variables, so that a page can use them and a reader's theme decides."""

from __future__ import annotations

from collections.abc import Mapping

from harness.report.marks import MARKS, slug, variables

_COLOURS: Mapping[str, tuple[str, str]] = {
    # Light and dark. Blue and vermilion, which colour-blind eyes tell apart; both stand out from their backgrounds.
    "chart-1": ("#0067a5", "#6cb8f0"),
    "chart-2": ("#b34700", "#ff8a4c"),
    "chart-3": ("#75757f", "#9a9aa6"),
    "chart-back": ("#ffffff", "#17171b"),
    "chart-ink": ("#1b1b1f", "#ececf1"),
    "chart-soft": ("#5b5b66", "#a5a5b2"),
    "chart-grid": ("#d5d5dd", "#3b3b45"),
}

# One class a rule, and no ancestor: what `use` places is styled outside of the picture's own tree.
_RULES = """
.chart-picture { max-width: 100%; height: auto; color: var(--chart-ink) }
.chart-picture { font: 12px/1 system-ui, "DejaVu Sans", sans-serif }
:where(.chart-picture) text { fill: currentColor }
.chart-soft { fill: var(--chart-soft) }
.chart-end { text-anchor: end }
.chart-mid { text-anchor: middle }
.chart-grid { stroke: var(--chart-grid) }
.chart-axis { stroke: var(--chart-soft) }
.chart-whisker { stroke: var(--chart-1); stroke-width: 2 }
.chart-box { fill: var(--chart-1); fill-opacity: .3; stroke: var(--chart-1) }
.chart-rest { fill: var(--chart-3); fill-opacity: .3; stroke: var(--chart-3) }
.chart-median { stroke: currentColor; stroke-width: 3 }
.chart-dot { fill: var(--chart-1); stroke: var(--chart-back) }
.chart-trend { fill: none; stroke: var(--chart-1); stroke-width: 2 }
.chart-bad { fill: var(--chart-2) }
.chart-none { fill: var(--chart-3) }
.chart-diagonal { fill: none; stroke: currentColor; stroke-width: 2 }
.chart-hatch { fill: none; stroke-opacity: .45 }
.chart-glyph, .chart-count { paint-order: stroke; stroke-width: 3px; stroke-linejoin: round }
.chart-glyph { font-size: 14px; font-weight: 700 }
.chart-count { font-size: 10px }
"""


def _rules() -> str:
    lines = [_RULES.strip()]
    for verdict in MARKS:
        name = slug(verdict)
        lines += [
            f".chart-v-{name} {{ fill: var(--v-{name}) }}",
            f".chart-i-{name} {{ fill: var(--v-{name}-ink); stroke: var(--v-{name}) }}",
            f".chart-h-{name} {{ stroke: var(--v-{name}-ink) }}",
        ]
    return "\n".join(lines) + "\n"


def theme(name: str) -> str:
    """The variables of the theme `light` or `dark` as CSS declarations, those of the verdicts among them."""
    chosen = 0 if name == "light" else 1
    return "".join(f"--{key}:{colours[chosen]};" for key, colours in _COLOURS.items()) + variables(name)


CHART_CSS = (
    f":root {{ {theme('light')} }}\n"
    f"@media (prefers-color-scheme: dark) {{ :root:not([data-theme=light]) {{ {theme('dark')} }} }}\n"
    f":root[data-theme=dark] {{ {theme('dark')} }}\n"
    f"@media print {{ :root:root:root {{ {theme('light')} }} }}\n{_rules()}"
)
"""What a page with pictures needs; `data-theme` on its root element chooses a theme, else the reader's system does."""

FILE_CSS = (
    f"svg {{ {theme('light')} background: var(--chart-back) }}\n"
    f"@media (prefers-color-scheme: dark) {{ svg {{ {theme('dark')} }} }}\n{_rules()}"
)
"""The same for a picture that is a file of its own."""
