"""`kmatrix serve`: a folder on loopback, for the eyes of whoever sits at this machine."""

from __future__ import annotations

import errno
import ipaddress
import logging
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from harness.errors import ConfigError, HostError
from harness.report.sanitize import visible

ADDRESS = "127.0.0.1"
_INDEX = "index.html"
_TYPES: Mapping[str, str] = {
    ".atom": "application/atom+xml; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".md": "text/markdown; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".xml": "application/xml",
}
_TEXT = "text/plain; charset=utf-8"
"""Of everything else: a log is read and never run."""
_LOGS = "logs"
_NOWHERE = "/\0"
"""No file has this name."""
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_log = logging.getLogger(__name__)


class _Handler(SimpleHTTPRequestHandler):
    """Files below one folder: no listing of a folder, no hidden file, nothing that a link leads to elsewhere."""

    server_version = "kmatrix"
    sys_version = ""

    def do_GET(self) -> None:
        if self._is_asked_here():
            super().do_GET()

    def do_HEAD(self) -> None:
        if self._is_asked_here():
            super().do_HEAD()

    def translate_path(self, path: str) -> str:
        root = Path(self.directory).resolve()
        asked = path.partition("#")[0].partition("?")[0]
        parts = unquote(asked, errors="surrogateescape").split("/")
        if any(part.startswith(".") or "\0" in part for part in parts):
            return _NOWHERE
        # stdlib's own way to a folder's first page would follow a link out of the folder
        try:
            found = root.joinpath(*filter(None, parts), *([_INDEX] if parts[-1] == "" else [])).resolve()
        except (OSError, ValueError):
            return _NOWHERE
        if not found.is_relative_to(root):
            return _NOWHERE
        return str(found)

    def send_head(self) -> BytesIO | BinaryIO | None:
        if self.translate_path(self.path) == _NOWHERE:
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def guess_type(self, path: object) -> str:
        found = Path(str(path))
        # what a guest wrote is text, whatever it is called
        is_log = _LOGS in found.relative_to(Path(self.directory).resolve()).parts
        return _TEXT if is_log else _TYPES.get(found.suffix.lower(), _TEXT)

    def end_headers(self) -> None:
        for name, value in _ALWAYS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        _log.debug("%s", visible(format % args))

    def _is_asked_here(self) -> bool:
        """Whether the browser was sent to this address, and not by a name that somebody made lead here."""
        host = (self.headers.get("Host") or "").partition(":")[0]
        if host in (ADDRESS, "localhost"):
            return True
        self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        return False


def open_server(directory: Path, port: int, address: str = ADDRESS) -> ThreadingHTTPServer:
    """A server that listens, and serves once it is told to; port 0 is any that is free.

    Raises `ConfigError` for an address that others can reach, `HostError` if the port cannot be had.
    """
    if not ipaddress.ip_address(address).is_loopback:
        raise ConfigError(
            f"{address} can be reached by others",
            hint=f"kmatrix publish DIR, and a web server for {directory}",
        )
    try:
        return ThreadingHTTPServer((address, port), partial(_Handler, directory=str(directory)))
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "is taken" if taken else f"cannot be had: {error.strerror}"
        raise HostError(f"port {port} of {address} {why}", hint="kmatrix serve --port 0") from error


def url_of(server: ThreadingHTTPServer) -> str:
    """Where a browser finds it."""
    return f"http://{ADDRESS}:{server.server_port}/"


def what_to_serve(directory: Path) -> Path:
    """The folder itself if it has a first page, else the newest run in it. Raises `ConfigError` if there is neither."""
    for found in (directory, directory / "latest"):
        if (found / _INDEX).is_file():
            return found.resolve()
    raise ConfigError(
        f"{directory} is neither a site nor a folder of runs", hint=f"kmatrix publish {directory}"
    )
