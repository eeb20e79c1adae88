"""Runs to be published, their site, and what it tells its readers."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import ledgers

from harness.matrix.cell import Cell, Outcome, Phase
from harness.matrix.ledger import Attempt
from harness.publish.record import Record
from harness.publish.site import Published, Wishes, publish

MOVE = Cell("trixie", "cold", "redis", "debian-6.1-oldest", "debian-6.12")
SOCKETS = "Error (criu/sockets.c:628): sockets: Can't set 1:72 (len 4): Protocol not available"
FIRST = datetime(2026, 11, 1, 2, 17, tzinfo=UTC)
NOW = datetime(2026, 11, 5, 8, tzinfo=UTC)
ATOM = {"a": "http://www.w3.org/2005/Atom"}
DAY = timedelta(days=1)


def tried(broken: Sequence[str] = (), **changes: Any) -> list[Attempt]:  # noqa: ANN401
    """Two scenarios with their diagonals; those that are named do not come back."""
    made = []
    for scenario in ("redis", "tcp"):
        cell = replace(MOVE, scenario=scenario)
        for diagonal in (replace(cell, destination=cell.source), replace(cell, source=cell.destination)):
            made.append(ledgers.attempt(diagonal))
        fails = {"phase": Phase.RESTORE, "error": SOCKETS, **changes} if scenario in broken else {}
        made.append(ledgers.attempt(cell, Outcome.FAIL if fails else Outcome.PASS, **fails))
    return made


def night(reports: Path, number: int, broken: Sequence[str] = (), *, name: str = "", **facts: Any) -> Path:  # noqa: ANN401
    """A finished run with logs and stand-ins for reports, begun `number` nights after the first."""
    began = FIRST + number * DAY
    record = ledgers.run_facts((MOVE.source, MOVE.destination), ("redis", "tcp"), 6)
    stamp = name or f"{began:%Y%m%d-%H%M%S}-beef"
    record |= {"id": stamp, "started": began.isoformat(), "finished": (began + DAY / 4).isoformat(), **facts}
    run = ledgers.write_run(reports / stamp, tried(broken), facts=record)
    for attempt in tried(broken):
        for log in attempt.logs.values():
            (run / log).parent.mkdir(parents=True, exist_ok=True)
            (run / log).write_text(f"(00.000001) {SOCKETS}\n")
    # stand-ins: to make the true ones takes a hundred times as long
    for report in ("index.html", "matrix.json", "matrix.csv", "scenarios.md"):
        (run / report).write_text(f"{report} of {stamp}")
    return run


def three_nights(made: Path) -> Path:
    """Three nights, of which the second broke something."""
    for number, broken in enumerate(((), ("redis",), ("redis",))):
        night(made, number, broken)
    return made


def published(reports: Path, site: Path, now: datetime = NOW, **wishes: Any) -> Published:  # noqa: ANN401
    """A site, up to date."""
    return publish(reports, site, Wishes(**wishes), now)


def tree(site: Path) -> dict[str, bytes]:
    """Every file of a site."""
    return {
        str(path.relative_to(site)): path.read_bytes() for path in sorted(site.rglob("*")) if path.is_file()
    }


def record_of(site: Path) -> Record:
    """What the site says of itself to machines."""
    return Record.from_json((site / "history.json").read_text())


def entries(site: Path) -> list[ET.Element]:
    """The entries of the Atom feed, which is checked against what RFC 4287 demands."""
    feed = ET.fromstring((site / "feed.atom").read_bytes())
    assert feed.tag == "{http://www.w3.org/2005/Atom}feed"
    assert feed.findtext("a:author/a:name", None, ATOM)
    found = feed.findall("a:entry", ATOM)
    for element in (feed, *found):
        for name in ("id", "title", "updated"):
            assert len(element.findall(f"a:{name}", ATOM)) == 1
        uuid.UUID(element.findtext("a:id", "", ATOM).removeprefix("urn:uuid:"))
        assert datetime.fromisoformat(element.findtext("a:updated", "", ATOM)).tzinfo is not None
        assert "alternate" in {link.get("rel") for link in element.findall("a:link", ATOM)}
    ids = [element.findtext("a:id", "", ATOM) for element in (feed, *found)]
    assert len(set(ids)) == len(ids)
    return found
