"""`feed.atom` (RFC 4287) and `feed.json` (JSON Feed 1.1): an entry a run, its state and what broke in it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from xml.etree import ElementTree as ET

from harness.publish.record import Cause, Entry
from harness.report.sanitize import visible

ATOM_FILE = "feed.atom"
JSON_FILE = "feed.json"
_NAMESPACE = "http://www.w3.org/2005/Atom"
_VERSION = "https://jsonfeed.org/version/1.1"
_ENTRIES = 50
_SHOWN = 300
"""Characters of a signature."""


@dataclass(frozen=True)
class Site:
    """What all feeds of a site have in common."""

    identity: uuid.UUID
    """Made once, so that an entry keeps its id wherever the site moves."""
    title: str
    url: str | None = None
    """Where the site will be, with a slash at its end; None if links are to be relative."""

    def link(self, path: str) -> str:
        """The address of something in the site."""
        return f"{self.url or ''}{path}"


def page_of(entry: Entry) -> str:
    """The address of a run's report, relative to the site."""
    return f"runs/{quote(entry.folder.encode('utf-8', 'surrogateescape'), safe='')}/index.html"


def atom(site: Site, entries: Sequence[Entry]) -> bytes:
    """The Atom feed; `entries` newest first, those without pages are passed over."""
    shown = _shown(entries)
    feed = ET.Element("feed", xmlns=_NAMESPACE)
    _element(feed, "id", f"urn:uuid:{site.identity}")
    _element(feed, "title", visible(site.title))
    _element(
        feed, "updated", _moment(max((e.updated for e in shown), default=datetime.fromisoformat(_NEVER)))
    )
    _element(_element(feed, "author"), "name", "kmatrix")
    _element(feed, "link", rel="self", type="application/atom+xml", href=site.link(ATOM_FILE))
    _element(feed, "link", rel="alternate", type="text/html", href=site.link("index.html"))
    for entry in shown:
        one = _element(feed, "entry")
        _element(one, "id", f"urn:uuid:{_identity(site, entry)}")
        _element(one, "title", _title(entry))
        _element(one, "published", _moment(entry.when))
        _element(one, "updated", _moment(entry.updated))
        _element(one, "link", rel="alternate", type="text/html", href=site.link(page_of(entry)))
        _element(one, "content", _text(entry), type="text")
    ET.indent(feed, " ")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(feed, "unicode").encode() + b"\n"


def json_feed(site: Site, entries: Sequence[Entry]) -> bytes:
    """The JSON Feed of the same entries."""
    document = {
        "version": _VERSION,
        "title": visible(site.title),
        **({"home_page_url": site.url, "feed_url": site.link(JSON_FILE)} if site.url else {}),
        "authors": [{"name": "kmatrix"}],
        "items": [
            {
                "id": f"urn:uuid:{_identity(site, entry)}",
                "url": site.link(page_of(entry)),
                "title": _title(entry),
                "content_text": _text(entry),
                "date_published": _moment(entry.when),
                "date_modified": _moment(entry.updated),
            }
            for entry in _shown(entries)
        ],
    }
    return (json.dumps(document, ensure_ascii=True, indent=1) + "\n").encode()


_NEVER = "1970-01-01T00:00:00+00:00"
"""A feed has a date, even one without entries."""


def _shown(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.pages][:_ENTRIES]


def _identity(site: Site, entry: Entry) -> uuid.UUID:
    return uuid.uuid5(site.identity, entry.folder.encode("utf-8", "surrogateescape").hex())


def _title(entry: Entry) -> str:
    return visible(entry.sentence, _SHOWN)


def _text(entry: Entry) -> str:
    """What the entry says, as plain text of several lines."""
    lines = [f"{visible(entry.sentence)}."]
    lines += [f"Unlike the run before: {visible(words)}." for words in entry.unlike]
    if entry.causes:
        lines += ["", "New breakages:", *map(_cause, entry.causes)]
    return "\n".join(lines)


def _cause(cause: Cause) -> str:
    cells = "1 cell" if cause.cells == 1 else f"{cause.cells:,} cells"
    return f"- {cells}: {visible(cause.signature or 'no error line', _SHOWN)}"


def _moment(when: datetime) -> str:
    return when.isoformat(timespec="seconds")


def _element(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> ET.Element:
    made = ET.SubElement(parent, name, attributes)
    made.text = text
    return made
