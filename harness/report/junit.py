"""`junit.xml`: what Jenkins, GitLab and most other servers read. A case a cell, a suite for each kernel of the dump.

Limits: GitLab takes 30 MB a file, 500,000 cases and 250,000 XML objects, passes over a second case of the same class
and name, and never lets the file decide a job's state: the exit code has to. `docs/formats.md` has the sources.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from xml.etree import ElementTree as ET

import pandas as pd

from harness.report.results import Result, results
from harness.report.rundir import Run
from harness.report.sanitize import visible
from harness.report.status import Group, Status

FILE = "junit.xml"
MOST_BYTES = 25_000_000
MOST_ELEMENTS = 200_000
_ERROR = 1000
"""Characters of an error in a case's text; its one-line message has fewer."""


def render(run: Run, cells: pd.DataFrame) -> str:
    """The document. What does not fit is left out, passed cells first, and a case that is an error says how many."""
    found = list(results(cells))
    missing = run.planned - len(found)
    kept, text = found, _document(run, found, missing, 0)
    while not _fits(text) and kept:
        kept = _fewer(kept)
        text = _document(run, kept, missing, len(found) - len(kept))
    return text


def _fits(text: str) -> bool:
    elements = text.count("</") + text.count("/>")
    return len(text.encode()) <= MOST_BYTES and elements <= MOST_ELEMENTS


def _fewer(found: list[Result]) -> list[Result]:
    unlike = [one for one in found if one.status is not Status.PASS]
    if len(unlike) < len(found):
        return unlike
    failed = [one for one in found if one.status.group is Group.FAIL]
    return failed if len(failed) < len(found) else found[: len(found) // 2]


def _document(run: Run, found: Iterable[Result], missing: int, left_out: int) -> str:
    suites: dict[str, list[Result]] = {}
    for one in found:
        suites.setdefault(f"{one.userland}/{one.mode}/{one.source}", []).append(one)
    root = ET.Element("testsuites")
    root.extend(_suite(run, name, members) for name, members in suites.items())
    if missing or left_out:
        root.append(_incomplete(missing, left_out))
    totals: Counter[str] = Counter()
    for suite in root:
        totals.update({key: int(suite.attrib[key]) for key in ("tests", "failures", "errors", "skipped")})
    root.attrib = {"name": _text(run.name)} | {key: str(number) for key, number in totals.items()}
    ET.indent(root, space=" ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(run: Run, name: str, members: list[Result]) -> ET.Element:
    suite = ET.Element("testsuite", _totals(name, [one.status for one in members]))
    suite.set("time", f"{sum(one.seconds for one in members):.3f}")
    if started := _timestamp(run):
        suite.set("timestamp", started)
    first = members[0]
    properties = ET.SubElement(suite, "properties")
    known = {"run": run.name, "kernel": first.source, "userland": first.userland, "criu": first.criu}
    for key, value in (known | {"accelerator": first.accelerator, "cpu": first.cpu}).items():
        if value:
            ET.SubElement(properties, "property", name=key, value=_text(value))
    suite.extend(map(_case, members))
    return suite


def _totals(name: str, statuses: list[Status]) -> dict[str, str]:
    tally = Counter(status.terms.junit for status in statuses)
    return {
        "name": _text(name),
        "tests": str(len(statuses)),
        "failures": str(tally["failure"]),
        "errors": str(tally["error"]),
        "skipped": str(tally["skipped"]),
    }


def _case(one: Result) -> ET.Element:
    # Jenkins takes what stands before a class's last dot for its package.
    parts = (_text(part).replace(".", "_") for part in (one.userland, one.mode, one.scenario))
    case = ET.Element("testcase", classname=".".join(parts), name=_text(one.cell), time=f"{one.seconds:.3f}")
    if element := one.status.terms.junit:
        ended = ET.SubElement(case, element, type=str(one.verdict), message=_text(one.reason))
        ended.text = "\n".join(_told(one))
    return case


def _told(one: Result) -> Iterator[str]:
    yield f"{one.verdict} in {one.phase}: {_text(one.why)}"
    if one.error:
        yield _text(one.error, _ERROR)
    if one.known:
        yield f"known: {_text(one.known)}"
    if one.blame:
        yield f"blame: {one.blame}"


def _incomplete(missing: int, left_out: int) -> ET.Element:
    """What keeps a run that was cut short, or a file that was, from looking whole."""
    told = []
    if missing:
        told.append(("cells without a result", f"{missing} planned cells have no result"))
    if left_out:
        told.append(("cells left out", f"{left_out} cells do not fit into this file; matrix.json has them"))
    suite = ET.Element("testsuite", _totals("kmatrix", [Status.LAB] * len(told)))
    for name, message in told:
        case = ET.SubElement(suite, "testcase", classname="kmatrix", name=name)
        ET.SubElement(case, "error", type="incomplete", message=message)
    return suite


def _timestamp(run: Run) -> str | None:
    try:
        # The schema that Jenkins and others go by has no time zone here.
        return datetime.fromisoformat(str(run.facts.get("started"))).strftime("%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return None


def _text(value: str, limit: int = 400) -> str:
    return visible(value, limit)
