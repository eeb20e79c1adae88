"""Drafts of reports: what they say of a breakage between kernels, and what a guest cannot make them say."""

from __future__ import annotations

import email
import email.policy
import io
import json
import os
import re
import stat
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import ledgers
import pytest
import upstream_runs as runs
from typer.testing import CliRunner

from harness.cache import Cache
from harness.cli.program import app
from harness.errors import ConfigError, Exit
from harness.matrix.cell import Cell, Phase, Reason
from harness.upstream import bundle, issue, mail
from harness.upstream.draft import Drafts, Request, write

GOLDEN = Path(__file__).parent / "golden"
WANTED = str(runs.CELL)


def request(run: Path, tmp_path: Path, wanted: str = WANTED, **more: object) -> Request:
    cached = tmp_path / "cache"
    cache = Cache(cached) if cached.exists() else runs.cache(cached)
    return Request(run, wanted, runs.scenarios(tmp_path / "scenarios"), cache, **more)  # type: ignore[arg-type]


@pytest.fixture
def drafts(tmp_path: Path) -> Drafts:
    """Of the plain case: pipes and redis from older kernels do not come up on the newest."""
    run = runs.write(tmp_path / "run", [*runs.attempts(), *runs.attempts("redis")])
    return write(request(run, tmp_path))


def message(drafts: Drafts) -> email.message.EmailMessage:
    data = (drafts.directory / mail.FILE).read_bytes()
    found = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(found, email.message.EmailMessage)
    assert not found.defects
    return found


def members(drafts: Drafts) -> dict[str, bytes]:
    with tarfile.open(drafts.directory / bundle.FILE) as tar:
        found = {}
        for member in tar:
            data = tar.extractfile(member)
            assert data is not None
            found[member.name.partition("/")[2]] = data.read()
        return found


@pytest.mark.parametrize("name", [mail.FILE, issue.FILE])
def test_drafts_are_the_files_that_somebody_has_read(drafts: Drafts, name: str) -> None:
    """`KMATRIX_GOLDEN=write pytest` writes them anew."""
    golden, text = GOLDEN / f"upstream-{name}", (drafts.directory / name).read_text("utf-8")
    if os.environ.get("KMATRIX_GOLDEN") == "write":
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")


def test_the_mail_is_what_the_lists_ask_for(drafts: Drafts) -> None:
    found = message(drafts)
    assert found["Subject"].startswith("[REGRESSION] ")
    assert found["To"] == "regressions@lists.linux.dev"
    assert found["Cc"] == "linux-api@vger.kernel.org, criu@lists.linux.dev"
    assert (found.get_content_type(), found["Content-Transfer-Encoding"]) == ("text/plain", "8bit")
    assert found["X-Unsent"] == "1"
    text = found.get_content()
    assert re.findall(r"(?:^|\n\n)(#regzbot .*)\n\n", text) == ["#regzbot introduced: v6.12..v7.3"]
    for words in (
        "Last good:  6.12.117",
        "First bad:  7.3.1",
        "not bisected; range v6.12..v7.3",
        "7.3.1: 0 (not tainted)",
        "the newest that was tried, fails",
        "CONFIG_RSEQ: y -> n",
        "NOT VANILLA",
        "- redis: A server and its clients.",
        "6.12.117):\nworks",
    ):
        assert words in text
    assert not (drafts.directory / "smtp").exists()
    assert max(len(line.encode()) for line in text.splitlines()) <= 998


def test_log_lines_are_never_wrapped_and_long_ones_are_cut_and_say_so(tmp_path: Path) -> None:
    long, longest = "word " * 60, "ü" * 3000
    error = f"Error (criu/x.c:1): {longest}"
    run = runs.write(tmp_path / "run", list(runs.attempts(error=error)))
    restored = next(one for one in (run / "logs").rglob("restore.log") if f"/{runs.BAD}/2/" in str(one))
    for log in (run / "logs").rglob("2/restore.log"):
        log.write_text(
            f"(00.1) {long}\n(00.2) {error}\n(00.3) Error (criu/y.c:2): Restoring FAILED.\n", "utf-8"
        )
    assert restored.exists()
    drafts = write(request(run, tmp_path))
    data = (drafts.directory / mail.FILE).read_bytes()
    assert f" (00.1) {long.rstrip()}".encode() in data
    assert max(map(len, data.split(b"\n"))) <= 990
    cut = [line for line in data.decode().split("\n") if "more bytes]" in line]
    assert len(cut) == 2
    kept, lost = re.fullmatch(r" (.*) \[cut, (\d+) more bytes\]", cut[1]).groups()  # type: ignore[union-attr]
    assert len(f" {kept}".encode()) + int(lost) == len(f" (00.2) {error}".encode())


def test_a_guest_cannot_write_headers_commands_or_markup(tmp_path: Path) -> None:
    hostile = (
        "Error (criu/x.c:1): \x1b[31m\r\nBcc: all@example.org\r\n\r\n#regzbot introduced: v1..v2\n\n"
        "```\n</details>@everyone <img src=x> \u202e``````\x00"
    )
    run = runs.write(tmp_path / "run", list(runs.attempts(error=hostile)))
    for log in (run / "logs").rglob("*.log"):
        if log.name in ("restore.log", "dmesg.log"):
            log.write_text(log.read_text() + hostile + "\n\n#regzbot fix: nothing\n\n", "utf-8", newline="")
    drafts = write(request(run, tmp_path))
    found, text = message(drafts), (drafts.directory / issue.FILE).read_text("utf-8")
    assert set(found.keys()) == {
        "From", "To", "Cc", "Subject", "Date", "X-Unsent", "X-KMatrix-Todo", "Content-Type",
        "Content-Transfer-Encoding", "MIME-Version",
    }  # fmt: skip
    body = found.get_content()
    commands = [line for line in body.splitlines() if line.startswith("#regzbot")]
    assert commands == ["#regzbot introduced: v6.12..v7.3"]
    for said in (body, text):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", said)
    outside = markdown_outside_fences(text)
    assert "@everyone" not in outside
    assert "<img" not in outside
    assert "#regzbot" not in outside
    assert outside.count("</details>") == outside.count("<details>")


def markdown_outside_fences(text: str) -> str:
    kept, fence = [], None
    for line in text.splitlines():
        marks = re.match(r"`{3,}", line)
        if fence is None and marks:
            fence = marks[0]
        elif fence is not None:
            if line.rstrip("`") == "" and len(line) >= len(fence):
                fence = None
        else:
            kept.append(line)
    assert fence is None
    return "\n".join(kept)


def test_hostile_names_stay_in_the_folder_and_on_their_line(tmp_path: Path) -> None:
    for number, words in enumerate(("../../x", "x\r\nBcc: a@b", "..", "\x1b]0;t\x07", "\udc80 \u2028")):
        here = tmp_path / str(number)
        cells = {
            name: Cell("trixie", "cold", words.replace("/", "_"), *name) for name in (("a", "a"), ("b", "b"))
        }
        bad = Cell("trixie", "cold", words.replace("/", "_"), "a", "b")
        kernels = {"a": ledgers.identity("debian-6.12"), "b": ledgers.identity("debian-7.3")}
        tried = [*map(runs.passed, cells.values()), *runs.failed(bad)]
        tried = [
            replace(one, logs={}, kernels={side: kernels[getattr(one.cell, side)] for side in one.kernels})
            for one in tried
        ]
        run = runs.write(here / "run", tried)
        drafts = write(request(run, here, str(bad)))
        assert drafts.directory.parent == run / "upstream"
        assert "Bcc" not in message(drafts)
        assert "\x1b" not in drafts.text()


def test_the_bundle_is_the_same_each_time_and_complete(drafts: Drafts, tmp_path: Path) -> None:
    first = (drafts.directory / bundle.FILE).read_bytes()
    again = write(request(drafts.directory.parent.parent, tmp_path, output=tmp_path / "again"))
    assert (tmp_path / "again" / bundle.FILE).read_bytes() == first
    assert again.directory == tmp_path / "again"
    found = members(drafts)
    assert {
        "README.md", "SHA256SUMS", "case.json", "check/compare.py", "check/harness/__init__.py",
        "check/harness/witness.py", "configs/config-6.12.48-cloud-amd64", "configs/config-7.3.1-cloud-amd64",
        "guest.sh", "logs/commands-of-the-dump.log", "logs/commands.log", "logs/console.log",
        "logs/dmesg-of-the-dump.log", "logs/dmesg.log", "logs/dump.log", "logs/restore.log", "provenance.json",
        "reproduce.sh", "workload/hand.c", "workload/pipes.c", "workload/pipes.py", "workload/workload.h",
    } <= found.keys()  # fmt: skip
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        listed = tar.getmembers()
    assert [one.name for one in listed] == sorted(one.name for one in listed)
    assert {(one.uid, one.gid, one.uname, one.gname) for one in listed} == {(0, 0, "", "")}
    assert len({one.mtime for one in listed}) == 1
    modes = {one.name.partition("/")[2]: stat.filemode(one.mode) for one in listed}
    assert modes["reproduce.sh"] == "?rwxr-xr-x"
    assert found["logs/restore.log"].decode() == runs.RESTORE_LOG


def test_the_script_names_packages_hashes_commands_and_is_a_shell_script(
    drafts: Drafts, tmp_path: Path
) -> None:
    found = members(drafts)
    script, guest = found["reproduce.sh"].decode(), found["guest.sh"].decode()
    for kernel in json.loads(found["provenance.json"])["kernels"]:
        ((name, sha256),) = kernel["provenance"]["packages"]
        assert f"{name} {kernel['version']} {sha256} http://archive.example/debian" in script
    assert "qemu-system-x86_64" in script
    assert "arguments='notsc clocksource=hpet mitigations=off'" in script
    assert '/usr/sbin/criu dump -t "$pid" -D /checkpoint/images' in guest
    assert "hand start shared bin/pipes" in guest
    for name, text in (("reproduce.sh", script), ("guest.sh", guest)):
        (tmp_path / name).write_text(text)
        done = subprocess.run(["sh", "-n", tmp_path / name], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_signature_picks_the_clearest_cell(tmp_path: Path) -> None:
    """Forward, between neighbours, and of the scenario with the smaller checkpoint."""
    tried = [*runs.attempts("redis", image_bytes=9_000_000), *runs.attempts(image_bytes=1000)]
    run = runs.write(tmp_path / "run", tried)
    signature = next(one.signature for one in tried if one.signature)
    assert signature is not None
    for wanted in (signature, "tee:"):
        assert write(request(run, tmp_path, wanted)).cell == WANTED
    with pytest.raises(ConfigError, match="no cell and no signature"):
        write(request(run, tmp_path, "nothing of the kind"))
    with pytest.raises(ConfigError, match="has no cell") as caught:
        write(request(run, tmp_path, WANTED.replace("pipes", "pipe")))
    assert WANTED in str(caught.value.hint)


def test_a_part_that_several_signatures_have_is_no_choice(tmp_path: Path) -> None:
    other = "Error (criu/pipes.c:400): pipes: splice: Invalid argument"
    run = runs.write(tmp_path / "run", [*runs.attempts(), *runs.attempts("redis", error=other)])
    with pytest.raises(ConfigError, match="is part of 2 signatures"):
        write(request(run, tmp_path, "Invalid argument"))


def test_what_criu_has_to_mend_is_no_mail(tmp_path: Path) -> None:
    """Both diagonals of the new kernel fail: CRIU does not work there."""
    cells = [cell for cell in ledgers.cells(runs.KERNELS, (runs.SCENARIO,)) if not cell.is_baseline]
    tried = [
        one for cell in cells for one in (runs.failed(cell) if cell.destination == runs.BAD else [runs.passed(cell)])
    ]  # fmt: skip
    run = runs.write(tmp_path / "run", tried)
    (run / "upstream/x").mkdir(parents=True)
    (run / "upstream/x" / mail.FILE).write_text("of an earlier time")
    drafts = write(request(run, tmp_path, output=run / "upstream/x"))
    assert drafts.files == (issue.FILE, bundle.FILE)
    assert not (drafts.directory / mail.FILE).exists()
    assert "No mail: CRIU does not work on this kernel" in drafts.text()
    assert "no mail to the kernel's" in (drafts.directory / issue.FILE).read_text()


def test_a_dump_that_fails_has_a_script_that_only_dumps(tmp_path: Path) -> None:
    dumped = {"phase": Phase.DUMP, "error": "Error (criu/x.c:1): strange"}
    cells = [cell for cell in ledgers.cells(runs.KERNELS, (runs.SCENARIO,)) if not cell.is_baseline]
    tried = [
        one
        for cell in cells
        for one in (runs.failed(cell, **dumped) if cell.source == runs.BAD else [runs.passed(cell)])  # type: ignore[arg-type]
    ]
    run = runs.write(tmp_path / "run", tried)
    drafts = write(request(run, tmp_path, f"trixie/cold/pipes/{runs.BAD}->{runs.BAD}"))
    script = members(drafts)["reproduce.sh"].decode()
    assert "dump_only=yes" in script
    text = (drafts.directory / issue.FILE).read_text()
    assert "CRIU cannot checkpoint a process on Linux 7.3.1. The same works with Linux 6.12.117" in text


def test_a_state_that_changes_is_told_to_both(tmp_path: Path) -> None:
    error = "fifo: only 999 of 1000 bytes\\x0aassert 999 == 1000"
    run = runs.write(
        tmp_path / "run", list(runs.attempts(phase=Phase.CHECK, reason=Reason.CHECK, error=error))
    )
    drafts = write(request(run, tmp_path))
    text = message(drafts).get_content()
    assert "\n fifo: only 999 of 1000 bytes\n assert 999 == 1000\n" in text
    assert "restored on Linux\n7.3.1 comes back changed" in text
    assert "#regzbot introduced: v6.12..v7.3" in text


def test_the_last_words_of_a_kernel_that_died_are_those_on_its_console(tmp_path: Path) -> None:
    words = "the guest's kernel reports: Kernel panic - not syncing: Fatal exception"
    run = runs.write(tmp_path / "run", list(runs.attempts(error=words, reason=Reason.KERNEL)))
    for path in run.glob(f"logs/*/*/*/{runs.BAD}/*/dmesg.log"):
        path.unlink()
        said = "[ 7.1] Kernel panic - not syncing: Fatal exception\n[ 7.2]  do_it+0x1/0x2\n"
        path.with_name("console.log").write_text(f"[ 1.0] before\nKMATRIX-READY\n{said}")
    text = message(write(request(run, tmp_path))).get_content()
    said = text.partition("What the kernel said meanwhile:")[2].partition("Practical impact")[0]
    assert said.split("\n") == [
        "", "", " [ 7.1] Kernel panic - not syncing: Fatal exception", " [ 7.2]  do_it+0x1/0x2", "", "",
    ]  # fmt: skip


def test_logs_that_are_too_long_for_an_issue_are_attached(tmp_path: Path) -> None:
    run = runs.write(tmp_path / "run", list(runs.attempts()))
    for log in (run / "logs").rglob("2/restore.log"):
        log.write_text("(00.1) doing\n" * 6000 + runs.RESTORE_LOG)
    text = (write(request(run, tmp_path)).directory / issue.FILE).read_text("utf-8")
    assert len(text) <= issue.LIMIT
    assert "`logs/restore.log` in `repro.tar.gz`; it is too long for an issue" in text
    assert "Dumping finished successfully" in text


def test_a_kernel_that_somebody_built_is_not_called_a_distributions(tmp_path: Path) -> None:
    """The compiler may be Debian's."""
    built = {
        label: replace(ledgers.identity(label), release=release, version=None)
        for label, release in ((runs.OLD, "6.1.0"), (runs.GOOD, "6.12.0"), (runs.BAD, "7.3.0-rc2"))
    }
    tried = [
        replace(one, kernels={side: built[getattr(one.cell, side)] for side in one.kernels})
        for one in runs.attempts()
    ]
    run = runs.write(tmp_path / "run", tried, provenance=False)
    for log in (run / "logs").rglob("dmesg.log"):
        log.write_text("[ 0.0] Linux version 7 (me@here) (gcc (Debian 12.2.0-14) 12.2.0) #3 SMP Mon Nov 23\n")
    drafts = write(request(run, tmp_path))
    text = message(drafts).get_content()
    assert "NOT VANILLA" not in text
    assert "#regzbot introduced: v6.12..v7.3-rc2\n" in text
    assert "unknown: the logs of this run do not say" in text
    assert any("make sure that the kernels are vanilla" in one for one in drafts.todo)
    assert f"kernel - {built[runs.BAD].sha256} unknown" in members(drafts)["reproduce.sh"].decode()


def test_the_surface_gives_what_criu_check_says(tmp_path: Path) -> None:
    run = runs.write(tmp_path / "run", list(runs.attempts()))
    record = {
        "kernel": {"sha256": ledgers.identity(runs.BAD).sha256},
        "criu": {"trixie": {"said": ["Looks good but some kernel features are missing"], "returncode": 1}},
    }
    (run / "surface").mkdir()
    (run / "surface/broken.json").write_text("{")
    (run / "surface/debian-7.3.json").write_text(json.dumps(record))
    drafts = write(request(run, tmp_path))
    text = (drafts.directory / issue.FILE).read_text("utf-8")
    assert "# 7.3.1-cloud-amd64\nLooks good but some kernel features are missing\nexit status 1" in text
    assert not any("criu check --all" in one for one in drafts.todo)


def test_a_kernel_tree_names_the_maintainers(tmp_path: Path) -> None:
    tree = tmp_path / "linux"
    (tree / "scripts").mkdir(parents=True)
    (tree / "fs").mkdir()
    (tree / "fs/pipe.c").touch()
    (tree / "scripts/get_maintainer.pl").write_text(
        'print "Al Viro <viro\\@example.org>\\nlinux-fsdevel\\@example.org\\nnonsense\\n$ARGV[-1]\\@example.org\\n";\n'
    )
    run = runs.write(tmp_path / "run", list(runs.attempts()))
    found = message(write(request(run, tmp_path, kernel_tree=tree)))
    assert found["To"] == "viro@example.org, linux-fsdevel@example.org, fs/pipe.c@example.org"
    assert found["Cc"].startswith("regressions@lists.linux.dev, ")
    assert "X-KMatrix-Todo" not in found
    with pytest.raises(ConfigError, match="is no kernel tree"):
        write(request(run, tmp_path, kernel_tree=tmp_path))


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KMATRIX_CACHE", str(tmp_path / "none"))
    run = runs.write(tmp_path / "run", list(runs.attempts()))
    done = CliRunner().invoke(app, ["upstream", WANTED, "--run", str(run)])
    assert done.exit_code == 0, done.output
    assert f"{run}/upstream/trixie-cold-pipes-debian-6.12-debian-7.3/mail.eml" in done.output
    assert "nothing was sent" in done.output
    assert "confirm it on vanilla v6.12.117 and v7.3.1" in done.output
    text = (run / "upstream/trixie-cold-pipes-debian-6.12-debian-7.3/mail.eml").read_text()
    assert "Config:     unknown: this machine does not have both configurations" in text
    refused = CliRunner().invoke(
        app, ["upstream", f"trixie/cold/pipes/{runs.OLD}->{runs.GOOD}", "--run", str(run)]
    )
    assert isinstance(refused.exception, ConfigError)
    assert refused.exception.exit_code == Exit.USAGE


def test_outcomes_are_those_of_the_last_word(tmp_path: Path) -> None:
    run = runs.write(tmp_path / "run", runs.failed(runs.CELL)[:1])
    with pytest.raises(ConfigError, match="has not its last word yet"):
        write(request(run, tmp_path))
