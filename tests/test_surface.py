"""Surfaces: what a probe's output becomes, what differs between real kernels, and what that foretells."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.matrix.cell import Cell
from harness.report.surface import differences_text, table
from harness.surface import catalogue
from harness.surface.diff import Kind, compare, explained
from harness.surface.predict import all_predictions, is_met, predictions
from harness.surface.record import Finding, Record, dump, merge, parse, problems, read, undump, write
from harness.verdict.known import Blame, load
from harness.verdict.order import Direction
from harness.verdict.verdict import Judgement, Verdict

GOLDEN = Path(__file__).parent / "golden" / "surface"
"""Parts of what real kernels said, under CRIU 4.1.1 of trixie."""
KNOWN = list(load())


def golden(label: str) -> Record:
    return read(GOLDEN / f"{label}.json")


def with_criu(record: Record, version: str) -> Record:
    criu = {name: dataclasses.replace(one, version=version) for name, one in record.criu.items()}
    return dataclasses.replace(record, criu=criu)


def with_finding(record: Record, id: str, finding: Finding) -> Record:
    return dataclasses.replace(record, findings={**record.findings, id: finding})


def judgement(cell: Cell, known: str | None) -> Judgement:
    return Judgement(cell, Verdict.SOURCE_BROKEN, "why", Direction.FORWARD, Blame.KERNEL, known)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_records_keep_to_the_schema_and_survive_the_way_to_disk_and_back(path: Path, tmp_path: Path) -> None:
    assert problems(json.loads(path.read_text())) == []
    record = read(path)
    write(tmp_path / "there" / "x.json", record)
    assert read(tmp_path / "there" / "x.json") == record
    assert (tmp_path / "there" / "x.json").read_text() == path.read_text()
    assert undump(json.loads(json.dumps(dump(record)))) == record


def test_a_damaged_record_is_told_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("{}")
    with pytest.raises(HarnessError, match=r"x\.json: no record of a surface: .*required"):
        read(path)
    path.write_text("{")
    with pytest.raises(HarnessError, match=r"x\.json: Expecting"):
        read(path)


def test_the_probes_lines_become_findings_and_sets_are_sorted() -> None:
    output = (
        '{"id":"proc.status","result":"ok","value":["Pid","Name"]}\n'
        '{"id":"vdso.symbols","result":"ok","value":["b","a"]}\n'
        '{"id":"syscall.rseq","result":"ENOSYS"}\n'
    )
    assert parse(output, catalogue.load()) == {
        "proc.status": Finding("ok", ("Pid", "Name")),
        "vdso.symbols": Finding("ok", ("a", "b")),
        "syscall.rseq": Finding("ENOSYS"),
    }
    with pytest.raises(HarnessError, match="printed 'Killed'"):
        parse("Killed\n", catalogue.load())


def test_every_known_breakage_names_interfaces_that_there_are() -> None:
    entries = catalogue.load().entries
    for known in KNOWN:
        named = {*known.surface, *(known.predict.ids if known.predict else ())}
        assert named <= set(entries), known.id
        assert known.predict is None or known.predict.ids <= set(known.surface), known.id


@pytest.mark.parametrize(
    ("id", "result", "present"),
    [
        ("syscall.rseq", "EINVAL", True),
        ("syscall.rseq", "ENOSYS", False),
        ("sockopt.buf-lock.inet", "ENOPROTOOPT", False),
        ("arch_prctl.map-vdso-64", "EEXIST", True),
        ("mmap.fixed-noreplace", "ok", False),
        ("mmap.fixed-noreplace", "EEXIST", True),
        ("proc.status", "unasked", False),
        ("proc.status", "SIGSEGV", False),
        ("proc.status", "timeout", False),
    ],
)
def test_which_results_mean_that_an_interface_is_there(id: str, result: str, present: bool) -> None:
    assert catalogue.load()[id].present(result) is present


def test_what_the_newer_kernel_took_away_is_flagged() -> None:
    found = {
        change.entry.id: change for change in compare(golden("debian-6.12"), golden("debian-7.3")).changes
    }
    passcred = found["sockopt.passcred.inet"]
    assert (passcred.kind, passcred.breaking) == (Kind.VANISHED, True)
    assert [entry.id for entry in explained(passcred, KNOWN)] == ["so-passcred-inet"]
    assert found["diag.udplite"].breaking
    guard = found["madvise.guard-install"]
    assert (guard.kind, guard.breaking) == (Kind.APPEARED, False)
    special = found["mapping.special"]
    assert (special.kind, special.breaking) == (Kind.GREW, True)
    assert [item.split()[0] for item in special.gained] == ["[vvar_vclock]"]
    assert (found["sockopt.tcp.info"].kind, found["sockopt.tcp.info"].breaking) == (Kind.GREW, False)
    assert (found["auxv.rseq-feature-size"].kind, found["auxv.rseq-feature-size"].breaking) == (
        Kind.GREW,
        True,
    )
    assert "sockopt.buf-lock.inet" not in found


def test_backwards_the_same_interfaces_are_flagged_the_other_way_round() -> None:
    forward = compare(golden("debian-5.10"), golden("debian-7.3"))
    backward = compare(golden("debian-7.3"), golden("debian-5.10"))
    assert (forward.direction, backward.direction) == (Direction.FORWARD, Direction.BACKWARD)
    assert {c.entry.id: c.breaking for c in forward.changes} == {
        c.entry.id: c.breaking for c in backward.changes
    }
    kinds = {change.entry.id: change.kind for change in backward.changes}
    assert kinds["sockopt.buf-lock.inet"] is Kind.VANISHED
    assert kinds["sockopt.passcred.inet"] is Kind.APPEARED


def test_a_kernel_does_not_differ_from_itself() -> None:
    same = compare(golden("debian-6.12"), golden("debian-6.12"))
    assert (same.direction, same.changes, dict(same.features)) == (Direction.SAME, (), {})


@pytest.mark.parametrize(
    ("older", "newer", "kind", "breaking"),
    [
        (Finding("ok", ("a", "b")), Finding("ok", ("a", "x", "b")), Kind.GREW, False),
        (Finding("ok", ("a", "b")), Finding("ok", ("b", "a")), Kind.CHANGED, True),
        (Finding("ok", ("a", "b")), Finding("ok", ("a",)), Kind.CHANGED, True),
        (Finding("ok", "0x3"), Finding("ok", "0x7"), Kind.GREW, False),
        (Finding("ok", "0x3"), Finding("ok", "0x6"), Kind.CHANGED, True),
        (Finding("ok", 3), Finding("ok", 2), Kind.CHANGED, True),
        (Finding("EBADF"), Finding("EFAULT"), Kind.CHANGED, False),
        (Finding("ok"), Finding("EPERM"), Kind.CHANGED, True),
        (Finding("ENOENT"), Finding("unasked"), Kind.CHANGED, False),
    ],
)
def test_what_counts_as_a_change(older: Finding, newer: Finding, kind: Kind, breaking: bool) -> None:
    record = golden("debian-6.12")
    old, new = (with_finding(record, "proc.status", finding) for finding in (older, newer))
    (change,) = compare(old, new).changes
    assert (change.kind, change.breaking) == (kind, breaking)


def test_so_buf_lock_is_foretold_for_moves_to_the_older_kernel_alone() -> None:
    old, new = golden("debian-5.10"), golden("debian-6.12")
    foretold = {p.breakage.id: p for p in predictions(new, old, KNOWN)}
    assert foretold["so-buf-lock"].hits == "a process with a socket"
    assert foretold["so-buf-lock"].because == (
        "sockopt.buf-lock.inet present under debian-6.12 (ok)",
        "sockopt.buf-lock.inet absent under debian-5.10 (ENOPROTOOPT)",
    )
    for pair in ((old, new), (new, new), (old, old)):
        assert "so-buf-lock" not in {p.breakage.id for p in predictions(*pair, KNOWN)}


@pytest.mark.parametrize(
    ("criu", "expected", "not_expected"),
    [
        ("3.17.1", {"vvar-vclock", "so-passcred-inet", "udplite-diag", "guard-pages", "pidfs"}, set()),
        ("4.1.1", {"so-passcred-inet", "udplite-diag", "guard-pages"}, {"vvar-vclock", "pidfs"}),
        ("4.2", {"udplite-diag"}, {"so-passcred-inet", "guard-pages", "guard-pages-unfixable"}),
        ("4.2.1", set(), {"so-passcred-inet", "udplite-diag", "guard-pages", "vvar-vclock"}),
    ],
)
def test_what_criu_has_learnt_is_not_foretold(criu: str, expected: set[str], not_expected: set[str]) -> None:
    record = with_criu(golden("debian-7.3"), criu)
    foretold = {p.breakage.id for p in predictions(record, record, KNOWN)}
    assert expected <= foretold
    assert not not_expected & foretold


def test_rseq_is_foretold_where_it_was_seen() -> None:
    old = golden("debian-5.10")
    assert "rseq-no-conf" in {p.breakage.id for p in predictions(old, old, KNOWN)}
    moves = {p.breakage.id: p for p in all_predictions(golden("debian-7.3"), old, KNOWN)}
    assert (moves["rseq-area-grew"].source, moves["rseq-area-grew"].destination) == (
        "debian-7.3",
        "debian-5.10",
    )
    assert (moves["rseq-no-conf"].source, moves["rseq-no-conf"].destination) == ("debian-5.10", "debian-5.10")


def test_nothing_is_foretold_of_what_was_not_asked() -> None:
    record = golden("debian-7.3")
    without = {id: one for id, one in record.findings.items() if id != "sockopt.passcred.inet"}
    silent = dataclasses.replace(record, findings=without)
    assert "so-passcred-inet" not in {p.breakage.id for p in predictions(silent, silent, KNOWN)}


@pytest.mark.parametrize(
    ("condition", "finding", "present", "met"),
    [
        ("present", Finding("EINVAL"), True, True),
        ("absent", Finding("EINVAL"), True, False),
        ("EOPNOTSUPP", Finding("EOPNOTSUPP"), False, True),
        ("EOPNOTSUPP", Finding("ENOENT"), False, False),
        ("has [vvar]", Finding("ok", ("[vvar] r--p",)), True, True),
        ("has [vdso]", Finding("ok", ("[vvar] r--p",)), True, False),
        ("lacks [vdso]", Finding("ok", ("[vvar] r--p",)), True, True),
        ("lacks [vdso]", Finding("unasked", "why"), False, False),
        ("has wrong", Finding("ok", "inode wrong"), True, True),
        ("!= 3", Finding("ok", 4), True, True),
        ("!= 3", Finding("ok", 3), True, False),
        ("!= 3", Finding("unasked", "why"), False, False),
        ("> 32", Finding("ok", 33), True, True),
        ("> 32", Finding("ok", 32), True, False),
        ("> 32", Finding("ENOENT"), False, False),
    ],
)
def test_conditions(condition: str, finding: Finding, present: bool, met: bool) -> None:
    assert is_met(condition, finding, present) is met


def test_the_text_flags_links_and_foretells() -> None:
    old, new = golden("debian-6.12"), golden("debian-7.3")
    diagonal = Cell("trixie", "cold", "tcp", "debian-7.3", "debian-7.3")
    odd = Cell("trixie", "cold", "odd", "debian-6.12", "debian-7.3")
    elsewhere = Cell("trixie", "cold", "tcp", "debian-6.18", "debian-7.3")
    cells = {diagonal: "so-passcred-inet", odd: None, elsewhere: "so-passcred-inet"}
    judgements = {cell: judgement(cell, known) for cell, known in cells.items()}
    foretold = all_predictions(old, new, KNOWN)
    text = differences_text(compare(old, new), foretold, KNOWN, judgements, colour=False)
    lines = text.splitlines()
    at = lines.index("  sockopt.passcred.inet: ok → EOPNOTSUPP  [possible API breakage]")
    assert lines[at + 2] == "      known: so-passcred-inet, seen in trixie/cold/tcp/debian-7.3→debian-7.3"
    assert "predicted from the surfaces alone, before any migration" in lines
    assert "      under debian-7.3 alone: dump of a process with an inet socket" in lines
    assert "      and so it is: trixie/cold/tcp/debian-7.3→debian-7.3" in lines
    assert "failing without a known reason: trixie/cold/odd/debian-6.12→debian-7.3" in lines
    assert "debian-6.18" not in text
    assert "\x1b" not in text


def test_a_record_of_another_probe_is_said_to_be_one() -> None:
    old, new = golden("debian-6.12"), dataclasses.replace(golden("debian-7.3"), probe="another")
    text = differences_text(compare(old, new), [], KNOWN, {}, colour=True)
    assert "not quite alike" in text
    assert "\x1b[31mpossible API breakage\x1b[0m" in text


def test_the_table_counts(tmp_path: Path) -> None:
    record = golden("debian-5.10")
    other = dataclasses.replace(
        record, criu={"forky": dataclasses.replace(record.criu["trixie"], version="4.2.1")}
    )
    said = table([merge([record, other])])
    assert "debian-5.10" in said
    assert "trixie 4.1.1: exit code 1" in said
    assert "forky 4.2.1" in said
