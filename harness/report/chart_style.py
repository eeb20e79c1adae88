"""CSS of the pictures. Colours are variables of the theme, light or dark, that `color-scheme` chooses."""

from __future__ import annotations

from harness.report.marks import MARK_CSS

# Blue and vermilion, which colour-blind eyes tell apart; both stand out from either background.
# One class a rule, and no ancestor: what `use` places is styled outside of the picture's own tree.
CHART_CSS = (
    """.chart-picture { --chart-1: light-dark(#0067a5, #6cb8f0); --chart-2: light-dark(#b93f08, #ef7039);
  --chart-3: light-dark(#75757f, #9a9aa6); --chart-back: light-dark(#ffffff, #14161a);
  --chart-ink: light-dark(#191b1f, #e9ebef); --chart-soft: light-dark(#5a606a, #a2a9b4);
  --chart-grid: light-dark(#d5d8dd, #3a3f47); max-width: 100%; height: auto; color: var(--chart-ink);
  font: 12px/1 system-ui, "DejaVu Sans", sans-serif }
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
.chart-fill { fill: var(--fill) }
.chart-hatch { fill: none; stroke: var(--text); stroke-opacity: .35 }
.chart-glyph, .chart-count { fill: var(--text); stroke: var(--fill); stroke-width: 3px; paint-order: stroke;
  stroke-linejoin: round }
.chart-glyph { font-size: 14px; font-weight: 700 }
.chart-count { font-size: 10px }
@media print { .chart-picture { color-scheme: light } }
"""
    + MARK_CSS
)
"""What a page with pictures needs; its `color-scheme` chooses the theme."""

FILE_CSS = f"svg {{ color-scheme: light dark; background: var(--chart-back) }}\n{CHART_CSS}"
"""The same for a picture that is a file of its own: the reader's system chooses."""
