"""SVG as text: elements, axes with round numbers, units. Every text passes `visible` and then XML's escaping."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from xml.sax.saxutils import escape, quoteattr

from harness.report.sanitize import visible

_TEXT_LIMIT = 200
_CHARACTER = 6.7
"""Pixels that a character of 12 px text takes at most, on average."""
_LOG_FROM = 30.0
"""Highest to lowest: from here on equal ratios say more than equal differences."""
_TICKS = 5


def text(value: str, limit: int = _TEXT_LIMIT) -> str:
    """Text as it may stand between two tags; `limit` in characters."""
    return escape(visible(value, limit))


def shortened(value: str, most: int) -> str:
    """A label made visible and cut to `most` characters, its end and its beginning kept."""
    whole = visible(value, _TEXT_LIMIT)
    head = (most - 1) * 2 // 3
    return whole if len(whole) <= most else f"{whole[:head]}…{whole[len(whole) - (most - 1 - head) :]}"


def width_of(label: str) -> float:
    """Pixels that a label of 12 px takes at most."""
    return len(label) * _CHARACTER


def element(name: str, *inner: str, **attributes: str | float | None) -> str:
    """One element; `inner` is markup already. An underscore becomes a hyphen.

    `class_` names rules of `chart_style`, where each has `chart-` before its name; `verdict` is a class of `marks`.
    """
    words = [f"chart-{word}" for word in str(attributes.pop("class_", None) or "").split()]
    words += [mark] if isinstance(mark := attributes.pop("verdict", None), str) else []
    attributes["class"] = " ".join(words) or None
    said = "".join(
        f" {key.replace('_', '-')}={quoteattr(_number(value))}"
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{said}>{''.join(inner)}</{name}>" if inner else f"<{name}{said}/>"


def label(at_x: float, at_y: float, words: str, **attributes: str | float | None) -> str:
    """Text at a place; `words` are escaped here."""
    return element("text", text(words), x=at_x, y=at_y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def picture(width: float, height: float, title: str, description: str, *inner: str) -> str:
    """A whole picture that a screen reader reads as one image with a name and a description."""
    name = "chart-" + hashlib.sha256(f"{title}\0{description}".encode("utf-8", "replace")).hexdigest()[:10]
    return element(
        "svg",
        element("title", text(title), id=f"{name}-t"),
        element("desc", text(description, 1000), id=f"{name}-d"),
        *inner,
        xmlns="http://www.w3.org/2000/svg",
        class_="picture",
        role="img",
        aria_labelledby=f"{name}-t {name}-d",
        width=width,
        height=height,
        viewBox=f"0 0 {_number(width)} {_number(height)}",
    )


def _number(value: str | float) -> str:
    return value if isinstance(value, str) else f"{round(value, 1):g}"


@dataclass(frozen=True)
class Scale:
    """Values on one axis, from `first` to `last` in pixels."""

    low: float
    high: float
    first: float
    last: float
    log: bool = False

    @classmethod
    def over(cls, low: float, high: float, first: float, last: float, *, zero: bool = True) -> Scale:
        """A scale that holds both values and begins and ends at a tick: from 0 with `zero`, or logarithmic."""
        if low > 0 and high / low >= _LOG_FROM:
            return cls(_log_floor(low), _log_ceiling(high), first, last, log=True)
        step = nice_step(high - (0 if zero else low))
        start = 0.0 if zero else math.floor(low / step) * step
        return cls(start, max(math.ceil(round(high / step, 6)) * step, start + step), first, last)

    def __call__(self, value: float) -> float:
        """Where a value stands, in pixels; one beyond an end stands at that end."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = math.log10(low), math.log10(high), math.log10(at)
        return self.first + (at - low) / (high - low) * (self.last - self.first)

    @cached_property
    def ticks(self) -> tuple[float, ...]:
        """Round numbers from end to end."""
        if self.log:
            decades = math.log10(self.high / self.low)
            digits = (1, 2, 5) if decades <= 2 else (1, 3) if decades <= 3 else (1,)
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            found = (digit * 10.0**power for power in range(first, last + 1) for digit in digits)
            return tuple(tick for tick in found if self.low * 0.999 <= tick <= self.high * 1.001)
        step = nice_step(self.high - self.low)
        return tuple(self.low + step * n for n in range(round((self.high - self.low) / step) + 1))


def nice_step(span: float) -> float:
    """1, 2 or 5 times a power of ten, so that about five steps make `span`."""
    if span <= 0:
        return 1.0
    rough = span / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    return power * next(digit for digit in (1, 2, 5, 10) if digit * power >= rough * 0.9999)


def _log_floor(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return power * max(digit for digit in (1, 2, 5) if digit * power <= value * 1.0001)


def _log_ceiling(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return power * min(digit for digit in (1, 2, 5, 10) if digit * power >= value * 0.9999)


def seconds(value: float) -> str:
    """A time with its unit, three digits: `0`, `3.2 ms`, `140 ms`, `2.35 s`, `61 s`."""
    if value == 0:
        return "0"
    return f"{_digits(value * 1000)} ms" if abs(value) < 0.9995 else f"{_digits(value)} s"


def size(value: float) -> str:
    """Bytes with their unit, decimal: `512 B`, `2.35 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 999.5:
            return f"{_digits(value)} {unit}" if value else "0"
        value /= 1000
    return f"{_digits(value)} TB"


def _digits(value: float) -> str:
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"
