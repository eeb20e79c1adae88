"""`kmatrix serve`: whom it answers, what it never hands out, and a walk through a whole site."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urldefrag, urljoin

import kmatrix_process
import ledgers
import pytest
from html_page import Page

from harness.cli import main
from harness.errors import ConfigError, Exit, HostError
from harness.matrix.cell import Outcome
from harness.matrix.ledger import Attempt, read
from harness.publish.serve import open_server, what_to_serve
from harness.publish.site import Wishes, publish
from harness.report.write import write_reports

LABELS = tuple(label for label, _, _ in ledgers.KERNELS)[:2]
MOST_PAGES = 400
PATIENCE = 60


@contextmanager
def served(directory: Path) -> Iterator[tuple[str, int]]:
    """The folder, served; host and port."""
    with open_server(directory, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield "127.0.0.1", server.server_port
        finally:
            server.shutdown()
            thread.join()


def ask(
    where: tuple[str, int], path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers by small name and body of one request, whose path goes out as it is."""
    connection = http.client.HTTPConnection(*where, timeout=PATIENCE)
    try:
        connection.putrequest(method, path, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a page, a log, what is hidden, and links that lead out of it."""
    made = tmp_path / "site"
    (made / "logs").mkdir(parents=True)
    (made / "empty").mkdir()
    (made / "index.html").write_text("<!doctype html><p>first")
    for name in ("logs/restore #1.log", "logs/evil.html", "logs/bare", "logs/évil.log", ".secret"):
        (made / name).write_text(name)
    for name in ("feed.atom", "feed.json", "matrix.csv", "badge.svg"):
        (made / name).write_text(name)
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/index.html").write_text("s3cret")
    (made / "link").symlink_to(tmp_path / "secret")
    (made / "door").symlink_to(tmp_path / "elsewhere")
    (made / "trap").mkdir()
    (made / "trap/index.html").symlink_to(tmp_path / "secret")
    return made


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"), ("/index.html?x=1", "text/html; charset=utf-8"),
        ("/feed.atom", "application/atom+xml; charset=utf-8"), ("/feed.json", "application/json"),
        ("/matrix.csv", "text/csv; charset=utf-8"), ("/badge.svg", "image/svg+xml"),
        ("/logs/restore%20%231.log", "text/plain; charset=utf-8"), ("/logs/bare", "text/plain; charset=utf-8"),
        ("/logs/%C3%A9vil.log", "text/plain; charset=utf-8"),
        ("/logs/evil.html", "text/plain; charset=utf-8"),  # a guest's word is no page
    ],
)  # fmt: skip
def test_files_have_their_types_and_nothing_is_guessed(folder: Path, path: str, kind: str) -> None:
    with served(folder) as where:
        status, headers, body = ask(where, path)
        assert (status, headers["content-type"]) == (200, kind)
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert body
        assert ask(where, path, "HEAD")[::2] == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/logs/", "/empty/", "/nothing", "/.secret", "/%2esecret", "/link", "/door/", "/door/index.html", "/trap/",
        "/trap/index.html", "/../secret", "/..%2fsecret", "/%2e%2e/secret", "/logs/../../secret", "/logs/%00",
        "/index.html%00.log", "/" + "x" * 5000, "//../secret", "/index.html/", "/%ff", "/logs/..",
    ],
)  # fmt: skip
def test_what_is_never_handed_out(folder: Path, path: str) -> None:
    with served(folder) as where:
        status, headers, body = ask(where, path)
        assert status == 404
        assert headers["x-content-type-options"] == "nosniff"
        assert b"s3cret" not in body
        assert b"restore" not in body
        assert ask(where, path, "HEAD")[0] == 404


def test_a_folder_leads_to_its_page_and_nowhere_else(folder: Path) -> None:
    (folder / "latest").mkdir()
    (folder / "latest/index.html").write_text("newest")
    with served(folder) as where:
        status, headers, _ = ask(where, "/latest")
        assert (status, headers["location"]) == (301, "/latest/")
        assert ask(where, "/latest/")[2] == b"newest"
        assert ask(where, "//evil.example/..")[0] == 404
        assert ask(where, "/", "POST")[0] == 501


def test_only_who_asks_for_this_machine_is_answered(folder: Path) -> None:
    with served(folder) as where:
        assert ask(where, "/", Host=f"localhost:{where[1]}")[0] == 200
        for host in ("evil.example", "", f"127.0.0.1.evil.example:{where[1]}"):
            status, _, body = ask(where, "/", Host=host)
            assert status == 421
            assert b"first" not in body


def test_others_cannot_reach_it(folder: Path) -> None:
    for address in ("0.0.0.0", "192.0.2.1", "::"):
        with pytest.raises(ConfigError, match="can be reached by others"):
            open_server(folder, 0, address)
    with open_server(folder, 0) as server:
        assert server.server_address[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_said_to_be(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(HostError, match=f"port {port} of 127.0.0.1 is taken") as caught:
            open_server(folder, port)
    assert caught.value.hint == "kmatrix serve --port 0"


def test_what_is_served(folder: Path, tmp_path: Path) -> None:
    assert what_to_serve(folder) == folder
    reports = tmp_path / "reports"
    reports.mkdir()
    with pytest.raises(ConfigError, match="neither a site nor a folder of runs"):
        what_to_serve(reports)
    (reports / "latest").symlink_to(folder)
    assert what_to_serve(reports) == folder


def test_ctrl_c_ends_it_well(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = kmatrix_process.start("serve", str(folder), "--port", "0", log=log)
    try:
        deadline = time.monotonic() + PATIENCE
        while (found := re.search(r"http://127\.0\.0\.1:\d+/", log.read_text())) is None:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, "it says no address"
            time.sleep(0.05)
        with urllib.request.urlopen(found[0], timeout=PATIENCE) as answer:
            assert answer.read() == b"<!doctype html><p>first"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == Exit.OK
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in log.read_text()


# a whole site


def make_site(tmp_path: Path) -> Path:
    """Three runs with true reports and logs, one of them so old that its logs are gone, and a strange name."""
    reports = tmp_path / "reports"
    for number, name in enumerate(("old", "strange ?#%&<é", "new")):
        began = datetime(2026, 11, 1, 2, 17, tzinfo=UTC) + timedelta(days=10 * number)
        tried = list(ledgers.attempts(LABELS, ("redis", "tcp"), seed=number))
        facts = ledgers.run_facts(LABELS, ("redis", "tcp"), len(tried)) | {
            "id": name, "started": began.isoformat(), "finished": began.isoformat()
        }  # fmt: skip
        run = ledgers.write_run(reports / name, tried, facts=facts)
        for log in {log for attempt in tried for log in attempt.logs.values()}:
            (run / log).parent.mkdir(parents=True, exist_ok=True)
            (run / log).write_text("a log")
        write_reports(run)
    publish(reports, tmp_path / "site", Wishes(), datetime(2026, 11, 22, tzinfo=UTC))
    return tmp_path / "site"


def logs_of(run: Path) -> list[str]:
    """The logs that a run's ledger names."""
    found = sorted({log for attempt in read(run) for log in attempt.logs.values()})
    assert len(found) == 4
    return found


def test_every_link_of_a_site_leads_somewhere(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    logs = {run: logs_of(tmp_path / "reports" / run) for run in ("new", "old")}
    with served(site) as where:
        # what the page's script links to: a young run's logs are there, an old one's are thinned
        for run, status in (("new", 200), ("old", 404)):
            assert {ask(where, f"/runs/{run}/{quote(log)}")[0] for log in logs[run]} == {status}
        root = f"http://{where[0]}:{where[1]}/"
        seen: dict[str, set[str]] = {}
        todo, dead, fragments = [root], [], []
        while todo:
            url = todo.pop()
            if url in seen:
                continue
            assert len(seen) < MOST_PAGES
            status, headers, body = ask(where, url.removeprefix(root.rstrip("/")))
            seen[url] = set()
            if status != 200:
                dead.append(url)
                continue
            if not headers["content-type"].startswith("text/html"):
                continue
            page = Page(body.decode())
            seen[url] = page.anchors
            for link in page.links:
                if link.startswith("data:image/svg+xml,"):  # the page's icon, which is in it
                    continue
                to, fragment = urldefrag(urljoin(url, link))
                assert to.startswith(root), f"{url} leads out of the site: {link}"
                todo.append(to)
                fragments.append((to, fragment))
    # the oldest run's ledger is no longer kept either: that much a page of that age may point at in vain
    assert dead == [f"{root}runs/old/results.jsonl"]
    # `#cell=...` is a view, which the page's own script makes
    assert all(not fragment or "=" in fragment or fragment in seen[to] for to, fragment in fragments)
    pages = [url.removeprefix(root) for url in seen if url not in dead]
    assert {"latest/index.html", "feed.atom", "feed.json", "history.json", "runs/new/index.html"} <= set(
        pages
    )
    assert "runs/strange%20%3F%23%25%26%3C%C3%A9/index.html" in pages


def test_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def kmatrix(*argv: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["kmatrix", *argv])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return int(ended.value.code or 0), said.out + said.err

    (tmp_path / "scenarios").mkdir()
    (tmp_path / "conftest.py").touch()
    monkeypatch.chdir(tmp_path)
    assert kmatrix("publish", "site")[0] == Exit.USAGE
    tried: list[Attempt] = [ledgers.attempt(next(ledgers.cells(LABELS, ("tcp",))), Outcome.PASS)]
    facts = ledgers.run_facts(LABELS, ("tcp",), 1)
    for name, started in (("a", "2020-01-01T00:00:00Z"), ("b", "2020-01-02T00:00:00Z")):
        ledgers.write_run(tmp_path / "reports" / name, tried, facts=facts | {"id": name, "started": started})
    code, said = kmatrix("publish", "site", "--dry-run", "--keep", "1d", "--keep-run", "a")
    assert (code, said) == (0, "b would be published\na would be published\n")
    assert not (tmp_path / "site").exists()
    code, said = kmatrix("publish", "site", "--keep", "1d", "--keep-run", "a")
    assert code == 0
    assert re.fullmatch(r"b is published\na is published\n\d+ files written; site/index\.html\n", said)
    code, said = kmatrix("publish", "site", "--keep", "1d", "--release-run", "a", "--dry-run")
    assert (code, said) == (0, "b would be published\na would be removed, its figures stay\n")
    assert kmatrix("publish", "site", "--keep", "soon")[0] == Exit.USAGE
    (tmp_path / "file").touch()
    assert kmatrix("publish", "file/site")[0] == Exit.LAB
    assert kmatrix("serve", "reports")[0] == Exit.USAGE
