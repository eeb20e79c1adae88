"""Excerpts of logs: the line that is marked is the error, and no log is too large or too dirty."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import ledgers
import pytest

from harness.matrix.cell import Cell, Outcome, Phase, Reason
from harness.report.excerpt import PAGE, Excerpt, Limits, cut, excerpt, excerpts_by_signature
from harness.report.frames import causes, cell_states
from harness.report.rundir import Run, load
from harness.report.verdicts import judge
from harness.verdict.signature import find_error, first_error

TRUE = (
    "(00.019512)   2817: Error (criu/sockets.c:628): sockets: Can't set 1:72 (len 4): Protocol not available"
)
HARMLESS = (
    '(00.003000) Error (criu/util.c:641): execvp("iptables-save", ...) failed: No such file or directory'
)
AFTER = "(00.021000) Error (criu/cr-restore.c:2557): Restoring FAILED."
DONE = "(00.020000) Dumping finished successfully"


def log(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def chatter(count: int) -> list[str]:
    return [f"({n:02}.000000) line {n}" for n in range(count)]


def marked(found: Excerpt | None) -> str | None:
    assert found is not None
    return None if found.marked is None else found.lines[found.marked]


def test_the_first_true_error_is_marked_and_its_line_has_its_number() -> None:
    found = cut("restore", log(*chatter(50), HARMLESS, TRUE, *chatter(9), AFTER, TRUE, *chatter(30)))
    assert marked(found) == TRUE
    assert found is not None
    assert found.first + (found.marked or 0) == 52
    assert len(found.lines) == 13
    assert found.title == "restore, around the first true error (line 52 of 93)"


def test_the_same_words_before_the_success_are_not_what_is_marked() -> None:
    text = log(TRUE, *chatter(20), DONE, *chatter(3), TRUE)
    found = cut("dump", text)
    assert found is not None
    assert found.first + (found.marked or 0) == 26


def test_an_error_that_shares_its_line_with_another_message_is_found_there() -> None:
    text = log("(00.001000) one", "(00.002000) no newline here" + TRUE, "(00.003000) two")
    assert find_error(text) is not None
    assert find_error(text).number == 1  # type: ignore[union-attr]
    assert first_error(text) == TRUE.partition("2817: ")[2]


def test_an_error_in_the_first_and_in_the_last_line_of_a_log() -> None:
    for lines, number in (([TRUE, *chatter(40)], 1), ([*chatter(40), TRUE], 41)):
        found = cut("restore", log(*lines))
        assert found is not None
        assert found.first + (found.marked or 0) == number
        assert marked(found) == TRUE


def test_what_the_ledger_says_is_marked_where_criu_reports_nothing() -> None:
    text = log(
        "Traceback (most recent call last):", *chatter(30), "AssertionError: process 4242 is gone", "assert 0"
    )
    found = cut("traceback", text, "process 4242 is gone")
    assert marked(found) == "AssertionError: process 4242 is gone"
    splat = "WARNING: CPU: 1 PID: 7 at fs/x.c:3 f+0x1/0x2"
    said = f"the guest's kernel complained of itself: {splat}"
    assert (
        marked(cut("dmesg", log(*chatter(30), f"[   31.2] {splat}", "trace"), said)) == f"[   31.2] {splat}"
    )


def test_a_log_without_the_error_shows_its_end_and_commands_their_beginning() -> None:
    found = cut("console", log(*chatter(100)), "another thing")
    assert found is not None
    assert found.marked is None
    assert (found.first, found.lines[-1], len(found.lines)) == (81, "(99.000000) line 99", 20)
    assert found.about == "its end (100 lines)"
    commands = cut("commands", log("dump: criu dump", *chatter(50)))
    assert commands is not None
    assert (commands.first, commands.lines[0], commands.title) == (1, "dump: criu dump", "commands")


@pytest.mark.parametrize("text", ["", "\n\n", " \n"])
def test_a_log_with_nothing_in_it_has_no_excerpt(text: str) -> None:
    assert cut("dump", text, "error") is None


def test_no_log_and_one_that_cannot_be_read(tmp_path: Path) -> None:
    assert excerpt("dump", None) is None
    found = excerpt("dump", tmp_path)
    assert found is not None
    assert found.title == "dump, cannot be read: Is a directory"
    assert found.lines == ()


def test_only_the_end_of_a_log_is_read_and_the_title_says_so(tmp_path: Path) -> None:
    path = tmp_path / "restore.log"
    path.write_text(log(TRUE, *chatter(5000), TRUE.replace("1:72", "1:99")))
    found = excerpt("restore", path, limits=replace(PAGE, read=1000))
    assert "1:99" in (marked(found) or "")
    assert found is not None
    assert "at its end" in found.about


def test_ten_megabytes_in_a_line_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "restore.log"
    huge = b"\x00\xff\xfe\x1b[31m<script>" + b"x" * 10_000_000
    path.write_bytes(
        b"first\n" + huge + b"\n" + TRUE.encode() + b"\x00\x1b]0;title\x07\r\n" + huge[:500] + b"\n"
    )
    found = excerpt("restore", path, limits=Limits(read=1 << 20))
    assert found is not None
    assert (marked(found) or "").startswith(TRUE + "\\x00\\x1b]0;title\\x07")
    assert all(len(line) < 1000 for line in found.lines)
    assert found.lines[0].endswith("characters)")
    assert found.lines[-1].startswith("\\x00\ufffd\ufffd\\x1b[31m<script>")
    assert not any(ord(character) < 32 for line in found.lines for character in line)


def test_a_log_of_errors_alone_takes_no_longer_than_one_of_chatter() -> None:
    consequence = "(00.02) Error (criu/cr-restore.c:2557): Restoring FAILED."
    found = find_error(log(*[consequence] * 20_000, TRUE))
    assert found is not None
    assert found.number == 20_000


def failing(
    directory: Path, cells: list[Cell], *, logs: dict[str, str] | None = None, **changes: object
) -> Run:
    made = [
        ledgers.attempt(
            cell, Outcome.FAIL, logs={n: f"logs/{cell.source}/{n}" for n in logs or {}}, **changes
        )
        for cell in cells
    ]
    for cell in cells:
        for name, text in (logs or {}).items():
            path = directory / "logs" / cell.source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return load(ledgers.write_run(directory, made))


CELLS = [Cell("trixie", "cold", "tcp", source, "z") for source in "abcd"]


def by_signature(run: Run) -> dict[tuple[str, str], tuple[Excerpt, ...]]:
    return excerpts_by_signature(run, cell_states(run, judge(run)))


def test_one_excerpt_a_signature_however_many_cells(tmp_path: Path) -> None:
    error = TRUE.partition("2817: ")[2]
    logs = {
        "restore": log(*chatter(30), TRUE, AFTER),
        "console": log("boot"),
        "commands": log("criu restore"),
    }
    run = failing(tmp_path, CELLS, logs=logs, phase=Phase.RESTORE, error=error)
    found = by_signature(run)
    keys = {(cause.phase, cause.signature) for cause in causes(cell_states(run, judge(run)))}
    assert found.keys() == keys
    assert [[one.name for one in pieces] for pieces in found.values()] == [["restore"]]
    assert marked(next(iter(found.values()))[0]) == TRUE


def test_a_cell_whose_logs_are_gone_leaves_it_to_the_next(tmp_path: Path) -> None:
    run = failing(tmp_path, CELLS, logs={"restore": log(TRUE)}, phase=Phase.RESTORE, error=TRUE)
    (tmp_path / "logs/a/restore").unlink()
    (tmp_path / "logs/b/restore").write_text(log("nothing of interest"))
    assert [marked(pieces[0]) for pieces in by_signature(run).values()] == [TRUE]


def test_no_log_no_excerpt_and_no_path_leads_out_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(log(TRUE))
    made = [ledgers.attempt(CELLS[0], Outcome.FAIL, error=TRUE, logs={"restore": "../secret"})]
    assert by_signature(load(ledgers.write_run(tmp_path / "run", made))) == {}


def test_a_check_that_failed_shows_its_traceback_before_a_log_that_says_nothing(tmp_path: Path) -> None:
    logs = {
        "restore": log(*chatter(20), "(00.3) Restore finished successfully"),
        "traceback": log("Traceback", *chatter(30), "AssertionError: lost 3 bytes"),
    }
    run = failing(
        tmp_path, CELLS[:1], logs=logs, phase=Phase.CHECK, error="lost 3 bytes", reason=Reason.CHECK
    )
    (pieces,) = by_signature(run).values()
    assert [one.name for one in pieces] == ["traceback"]
