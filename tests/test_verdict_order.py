"""Which kernel is the older one: package versions, release candidates, vendors' suffixes."""

from __future__ import annotations

import pytest

from harness.verdict.order import Direction, KernelVersion, Range, direction, holds

HISTORY = (
    ("3.13-trunk-amd64", "3.13.4-1~exp1"),
    ("4.18.0-477.10.1.el8_8.x86_64", None),
    ("4.18.0-513.5.1.el8_9.x86_64", None),
    ("5.10.0-46-cloud-amd64", "5.10.262-1"),
    ("5.15.0-91-generic", None),
    ("5.15.0-100-generic", None),
    ("6.1.0-47-cloud-amd64", "6.1.170-3"),
    ("6.1.0-56-cloud-amd64", "6.1.192-1"),
    ("6.12.117+deb13-cloud-amd64", "6.12.117-1"),
    ("6.16-rc2", None),
    ("6.16.0-rc3-g0123456789ab", None),
    ("6.16-rc7-cloud-amd64", "6.16~rc7-1~exp1"),
    ("6.16.0", None),
    ("6.16.3+deb13-cloud-amd64", "6.16.3-1~bpo13+1"),
    ("6.16.3+deb14-cloud-amd64", "6.16.3-1"),
    ("7.3.4+deb13-cloud-amd64", "7.3.4-1~bpo13+1"),
)


def test_history_is_in_order() -> None:
    versions = [KernelVersion.of(release, version) for release, version in HISTORY]
    shuffled = [*versions[1::2], *versions[::2]]
    assert sorted(shuffled, key=lambda version: version.key) == versions
    assert len({version.key for version in versions}) == len(versions)


@pytest.mark.parametrize(
    ("release", "version", "said", "series"),
    [
        ("6.1.0-47-cloud-amd64", "6.1.170-3", "6.1.170", "6.1"),
        ("6.16.0-rc3", None, "6.16.0-rc3", "6.16"),
        ("6.6.87.2-microsoft-standard-WSL2", None, "6.6.87.2", "6.6"),
        ("7.3", "1:7.3~rc1-1", "7.3-rc1", "7.3"),
    ],
)
def test_a_version_is_told_as_kernel_people_write_it(
    release: str, version: str | None, said: str, series: str
) -> None:
    found = KernelVersion.of(release, version)
    assert (str(found), found.series) == (said, series)


def test_directions() -> None:
    old, new = KernelVersion.of("6.1.0-56", "6.1.192-1"), KernelVersion.of("6.12.117", "6.12.117-1")
    assert direction(old, new, same=False) is Direction.FORWARD
    assert direction(new, old, same=False) is Direction.BACKWARD
    assert direction(new, new, same=True) is Direction.SAME
    assert direction(new, new, same=False) is Direction.SIDEWAYS


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">=6.16-rc2 <6.16.4", ("6.16-rc2", "6.16", "6.16.3"), ("6.16-rc1", "6.16.4", "6.15.9", "7.0")),
        ("<5.15", ("5.10.262-1", "5.15-rc1"), ("5.15", "5.15.0-91-generic", "6.1")),
        ("=6.12", ("6.12", "6.12.0"), ("6.12.1",)),
        (">6.12 <=6.13", ("6.12.1", "6.13"), ("6.12", "6.13.1")),
    ],
)
def test_ranges(text: str, inside: tuple[str, ...], outside: tuple[str, ...]) -> None:
    bounds = Range.parse(text)
    assert all(bounds.holds(KernelVersion.of(version)) for version in inside)
    assert not any(bounds.holds(KernelVersion.of(version)) for version in outside)


def test_no_range_is_every_version() -> None:
    assert holds((), KernelVersion.of("2.6.32"))
    assert not holds((Range.parse("<2"),), KernelVersion.of("2.6.32"))


@pytest.mark.parametrize("text", ["", "6.12", ">= 6.12", "~6.12", ">=six"])
def test_a_range_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"range|comparison|version"):
        Range.parse(text)
