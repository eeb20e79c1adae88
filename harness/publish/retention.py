"""Which runs a site keeps: all of the last days, then one a week, then one a month."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from harness.errors import ConfigError

ALL = "all"
_FOREVER = timedelta.max
_TERM = re.compile(r"(\d{1,5})([dwm])")
_LENGTHS = {"d": timedelta(days=1), "w": timedelta(weeks=1), "m": timedelta(days=31)}


@dataclass(frozen=True)
class Rule:
    """How far back which runs are kept, as ages before now. A longer span includes a shorter one."""

    every: timedelta = timedelta(days=30)
    """All runs."""
    weekly: timedelta = timedelta(weeks=26)
    """The newest of each week."""
    monthly: timedelta = timedelta(days=31 * 60)
    """The newest of each month."""
    logs: timedelta = timedelta(days=14)
    """The logs of the runs that are kept."""

    @classmethod
    def parse(cls, text: str, logs: int) -> Rule:
        """From `30d,26w,60m`, each of which may be left out, or `all`; `logs` in days. Raises `ConfigError`."""
        if text == ALL:
            return cls(_FOREVER, _FOREVER, _FOREVER, timedelta(days=logs))
        spans = dict.fromkeys(_LENGTHS, timedelta())
        for term in text.split(","):
            match = _TERM.fullmatch(term.strip())
            if match is None:
                raise ConfigError(
                    f"{term!r} says not how long runs are kept", hint=f"--keep 30d,26w,60m, or --keep {ALL}"
                )
            spans[match[2]] = int(match[1]) * _LENGTHS[match[2]]
        return cls(spans["d"], spans["w"], spans["m"], timedelta(days=logs))


@dataclass(frozen=True)
class Kept:
    """What is left of the runs."""

    pages: frozenset[str]
    logs: frozenset[str]
    """Of these the logs as well."""


def keep(runs: Mapping[str, datetime], rule: Rule, now: datetime, marked: Iterable[str] = ()) -> Kept:
    """Which of the runs, given by name and beginning, a site keeps at the moment `now`.

    The newest run and those that are marked are kept whatever their age, logs and all. Weeks are those of ISO 8601 and
    months the calendar's, so that a run does not lose its place because today is another day.
    """
    safe = {*(name for name in marked if name in runs), *_newest_of_each(runs, lambda _: None)}
    weekly = _newest_of_each(runs, lambda began: began.isocalendar()[:2])
    monthly = _newest_of_each(runs, lambda began: (began.year, began.month))
    ages = {name: now - began for name, began in runs.items()}
    pages = safe | {
        name
        for name, age in ages.items()
        if age < rule.every
        or (age < rule.weekly and name in weekly)
        or (age < rule.monthly and name in monthly)
    }
    return Kept(frozenset(pages), frozenset(safe | {name for name in pages if ages[name] < rule.logs}))


def _newest_of_each(runs: Mapping[str, datetime], bucket: Callable[[datetime], object]) -> set[str]:
    newest: dict[object, str] = {}
    for name in sorted(runs, key=lambda name: (runs[name], name)):
        newest[bucket(runs[name])] = name
    return set(newest.values())
