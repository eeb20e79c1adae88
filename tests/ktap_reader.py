"""A strict reader of KTAP version 1, after the kernel's Documentation/dev-tools/ktap.rst: what is not so raises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_RESULT = re.compile(r"(ok|not ok) ([1-9]\d*) ([^#]*[^# ])(?: # (.+))?")
_PLAN = re.compile(r"1\.\.(\d+)")
_DIRECTIVE = re.compile(r"(SKIP|TODO|XFAIL|TIMEOUT|ERROR)\b ?(.*)")


@dataclass
class Test:
    """One result line, and the results nested above it."""

    __test__ = False
    name: str
    ok: bool
    directive: str | None
    said: str
    diagnostics: list[str]
    subtests: list[Test]


def read(text: str) -> list[Test]:
    """The tests of the top level. Raises ValueError."""
    if not text.endswith("\n"):
        raise ValueError("the last line has no end")
    lines = iter(text.removesuffix("\n").split("\n"))
    tests = _level(lines, 0, next(lines))
    if left := next(lines, None):
        raise ValueError(f"after the plan's last test: {left!r}")
    return tests


def _level(lines: Iterator[str], depth: int, first: str) -> list[Test]:
    indent = "  " * depth
    if first != f"{indent}KTAP version 1":
        raise ValueError(f"no version line: {first!r}")
    planned: int | None = None
    tests: list[Test] = []
    diagnostics: list[str] = []
    subtests: list[Test] = []
    while planned is None or len(tests) < planned:
        line = next(lines, None)
        if line is None or not line.startswith(indent):
            raise ValueError(f"a plan of {planned} tests ends after {len(tests)}: {line!r}")
        body = line.removeprefix(indent)
        if body.startswith("# "):
            diagnostics.append(body)
        elif planned is None:
            if (plan := _PLAN.fullmatch(body)) is None:
                raise ValueError(f"no plan: {line!r}")
            planned = int(plan[1])
        elif body.startswith("  "):
            subtests = _level(lines, depth + 1, line)
        else:
            tests.append(_test(body, len(tests) + 1, diagnostics, subtests))
            diagnostics, subtests = [], []
    return tests


def _test(body: str, number: int, diagnostics: list[str], subtests: list[Test]) -> Test:
    result = _RESULT.fullmatch(body)
    if result is None:
        raise ValueError(f"no result: {body!r}")
    if int(result[2]) != number:
        raise ValueError(f"number {number} expected: {body!r}")
    directive = _DIRECTIVE.fullmatch(result[4] or "")
    test = Test(
        name=result[3],
        ok=result[1] == "ok",
        directive=directive[1] if directive else None,
        said=(directive[2] if directive else result[4]) or "",
        diagnostics=diagnostics,
        subtests=subtests,
    )
    if test.directive in ("TIMEOUT", "ERROR") and test.ok:
        raise ValueError(f"{test.directive} that is ok: {body!r}")
    if test.ok and not all(sub.ok for sub in subtests):
        raise ValueError(f"ok, and a subtest is not: {body!r}")
    return test
