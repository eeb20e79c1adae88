"""Names chosen by globs, with entries that stand for many kernels."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config import Config, load, select
from harness.errors import ConfigError

NAMES = ["debian-5.10", "debian-6.1-oldest", "debian-6.1", "debian-7.3"]
TEXT = """\
userlands:
  u: {suite: trixie, packages: [criu]}
kernels:
  debian-5.10: {package: linux-image-a, suite: s}
  all-6.1: {package: 'linux-image-6.1.*', pick: all, suite: s}
  debian-7.3: {package: linux-image-b, suite: s}
"""
FINAL = ["debian-5.10", "all-6.1-6.1.0-49-cloud", "all-6.1-6.1.0-50-cloud", "debian-7.3"]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "kernels.yaml").write_text(TEXT)
    return load(tmp_path / "kernels.yaml")


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        ("*", NAMES),
        ("debian-6.1", ["debian-6.1"]),
        ("debian-6.1*,debian-7.3", NAMES[1:]),
        (" debian-7.3 , debian-5.10,", ["debian-5.10", "debian-7.3"]),
        ("debian-7.?,debian-7.3,*7*", ["debian-7.3"]),
        (("debian-7.3", "debian-5.10"), ["debian-5.10", "debian-7.3"]),
    ],
)
def test_select(patterns: str | tuple[str, ...], chosen: list[str]) -> None:
    assert select(NAMES, patterns, "kernel") == chosen


def test_select_names_all_that_is_lost_and_all_there_is() -> None:
    with pytest.raises(ConfigError) as caught:
        select(NAMES, "debian-7.3,debian-6.2,qux*", "kernel")
    assert str(caught.value).splitlines() == [
        "no kernel matches 'debian-6.2'; did you mean debian-6.1?",
        "no kernel matches 'qux*'",
        "there are: debian-5.10, debian-6.1-oldest, debian-6.1, debian-7.3",
    ]


@pytest.mark.parametrize("patterns", ["", " , ", ()])
def test_select_nothing(patterns: str | tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="no scenario named; there are: cpu, tcp"):
        select(["cpu", "tcp"], patterns, "scenario")


def test_select_from_nothing() -> None:
    with pytest.raises(ConfigError, match=r"there are: none"):
        select([], "a", "userland")


@pytest.mark.parametrize(
    ("patterns", "entries"),
    [
        ("*", ["debian-5.10", "all-6.1", "debian-7.3"]),
        ("debian-7*", ["debian-7.3"]),
        ("all-6.1", ["all-6.1"]),
        ("all-6.1-6.1.0-50-cloud", ["all-6.1"]),
        ("*50-cloud,debian-5.10", ["debian-5.10", "all-6.1"]),
        ("all-6.1-6.1.0-4?-*", ["all-6.1"]),
    ],
)
def test_entries_that_must_be_resolved(config: Config, patterns: str, entries: list[str]) -> None:
    assert list(config.kernel_entries(patterns)) == entries


@pytest.mark.parametrize("patterns", ["all-6.2*", "all-6.1-", "debian-8,*", ""])
def test_entries_for_globs_that_can_match_nothing(config: Config, patterns: str) -> None:
    with pytest.raises(ConfigError, match=r"there are: debian-5.10, all-6.1, debian-7.3"):
        config.kernel_entries(patterns)


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        ("*", FINAL),
        ("all-6.1", FINAL[1:3]),
        ("all-*,debian-5.10", FINAL[:3]),
        ("*50*", [FINAL[2]]),
        ("debian-7.3,all-6.1-6.1.0-49-cloud", [FINAL[1], FINAL[3]]),
    ],
)
def test_final_labels(config: Config, patterns: str, chosen: list[str]) -> None:
    assert config.select_kernels(FINAL, patterns) == chosen


@pytest.mark.parametrize("patterns", ["all-6.1-6.1.0-51-cloud", "debian-5.10,nothing*", ""])
def test_final_labels_that_are_not_there(config: Config, patterns: str) -> None:
    with pytest.raises(ConfigError, match=r"there are: debian-5.10, all-6.1-6.1.0-49-cloud"):
        config.select_kernels(FINAL, patterns)
