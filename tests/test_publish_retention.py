"""Which runs a published site keeps."""

from __future__ import annotations

import random
from datetime import datetime

import pytest
from published_sites import (
    DAY,
    NOW,
)

from harness.errors import ConfigError
from harness.publish import retention
from harness.publish.retention import Rule, keep


def names(*ages: float) -> dict[str, datetime]:
    """Runs by age in days."""
    return {f"{age:g}": NOW - age * DAY for age in ages}


def test_all_then_one_a_week_then_one_a_month() -> None:
    rule = Rule(10 * DAY, 40 * DAY, 120 * DAY, 3 * DAY)
    kept = keep(names(*range(400)), rule, NOW)
    ages = sorted(map(int, kept.pages))
    assert ages[:10] == list(range(10))
    # NOW is a Thursday: Sundays end the weeks, and 30 September was 36 days ago
    assert ages[10:15] == [11, 18, 25, 32, 36]
    assert ages[15:] == [39, 66, 97]
    assert kept.logs == {"0", "1", "2"}


def test_the_newest_and_the_marked_are_always_kept() -> None:
    kept = keep(names(900, 800, 700), Rule(DAY, DAY, DAY, DAY), NOW, ["800", "nobody"])
    assert kept.pages == kept.logs == {"700", "800"}
    assert keep({}, Rule(), NOW).pages == frozenset()


@pytest.mark.parametrize("seed", range(30))
def test_what_every_rule_keeps_true(seed: int) -> None:
    chance = random.Random(seed)
    spans = [chance.choice([0, 1, 7, 30, 100, 1000]) * DAY for _ in range(4)]
    rule = Rule(*spans)
    runs = names(*(chance.uniform(-1, 1500) for _ in range(chance.randrange(1, 200))))
    marked = chance.sample(sorted(runs), min(3, len(runs)))
    kept = keep(runs, rule, NOW, marked)
    newest = max(runs, key=lambda name: runs[name])
    assert {newest, *marked} <= kept.logs <= kept.pages <= set(runs)
    assert {name for name, began in runs.items() if NOW - began < rule.every} <= kept.pages
    weeks = {began.isocalendar()[:2] for began in runs.values() if NOW - began < rule.weekly - 7 * DAY}
    assert weeks <= {runs[name].isocalendar()[:2] for name in kept.pages}
    # thinning night by night leaves what thinning once leaves
    left = runs
    for later in (NOW, NOW + 3 * DAY, NOW + 40 * DAY):
        left = {name: runs[name] for name in keep(left, rule, later, marked).pages}
    assert set(left) == keep(runs, rule, NOW + 40 * DAY, marked).pages


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "30d;4w", "30y", "1e3d", "999999d"])
def test_a_rule_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="how long") as caught:
        Rule.parse(text, 1)
    assert "--keep 30d,26w,60m" in str(caught.value.hint)


def test_rules_in_words() -> None:
    assert Rule.parse("2d, 3w,4m", 5) == Rule(2 * DAY, 21 * DAY, 124 * DAY, 5 * DAY)
    assert Rule.parse("2d", 0) == Rule(2 * DAY, 0 * DAY, 0 * DAY, 0 * DAY)
    assert len(keep(names(1, 9999), Rule.parse(retention.ALL, 1), NOW).pages) == 2
