"""What is known already: the data file is whole, matches what CRIU says, and is silent outside its versions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.matrix.cell import Phase
from harness.verdict.known import Circumstances, KnownBreakages, load
from harness.verdict.order import KernelVersion

OTHER_ARCHITECTURES = {4, 5, 33, 34, 35, 36}
"""Rows of the research's table that are about arm64 and ppc64."""
ROWS: dict[int, tuple[str, str | None]] = {
    1: ("criu#2694", "4.1.1"), 2: ("criu#2705", "4.2"), 3: ("criu#2532", "4.1"), 6: ("criu#2334", "4.0"),
    7: ("criu#1696", "3.17"), 8: ("criu#2070", None), 9: ("criu#3005", None), 10: ("criu#3002", "4.2.1"),
    11: ("criu#2744", None), 12: ("criu#2987", None), 13: ("kernel dc8aa31a7ac2", None), 14: ("criu#2626", "4.2"),
    15: ("criu b90cfc1a8", "4.2"), 16: ("criu PR #2634", "4.2"), 17: ("criu#1982", "3.18"),
    18: ("kernel 9330986c0300", "3.17"), 19: ("kernel 90f7d7a0d0d6", "3.17"), 20: ("criu#1874", "3.18"),
    21: ("OpenLiberty#23368", None), 22: ("criu#1897", None), 23: ("criu#2390", "4.0"), 24: ("criu 1ce408ffa", "4.1"),
    25: ("criu PR #965", "3.14"), 26: ("criu#322", None), 27: ("criu#2312", None), 28: ("criu#2835", "3.19"),
    29: ("criu c502d480f", "3.18"), 30: ("criu bab72af9a", "4.2"), 31: ("criu#2033", "4.2"),
    32: ("criu PR #2195", "3.19"), 37: ("criu#706", None), 38: ("criu#3056", None), 39: ("criu#2847", None),
}  # fmt: skip
"""What the table says of each other row: a source of its own, and the CRIU that has the fix."""
V = KernelVersion.of

# (what CRIU or a check said, phase, source, destination, CRIU, known as)
SEEN = (
    ("Error (criu/sockets.c:628): sockets: Can't set 1:72 (len 4): Protocol not available",
     Phase.RESTORE, "6.1.192", "5.10.262", "4.1.1", "so-buf-lock"),
    ("Error (criu/cr-dump.c:203): 20001 has rseq but kernel lacks get_rseq_conf feature",
     Phase.DUMP, "5.10.262", "6.12.117", "4.1.1", "rseq-no-conf"),
    ("sockets: Sockects collect procedure family AF_INET proto IPPROTO_UDPLITE: -2",
     Phase.DUMP, "7.3.4", "7.3.4", "4.1.1", "udplite-diag"),
    ("Error (criu/pie/restorer.c:512): failed sys_rseq(0x7f1c, 0x21, 0x0, 0x53053053) = -22",
     Phase.RESTORE, "7.3.4", "6.1.192", "4.1.1", "rseq-area-grew"),
    ("Error (criu/vdso.c:381): vdso: Unexpected rt vDSO area bounds",
     Phase.DUMP, "6.18.2", "6.18.2", "3.17.1", "vvar-vclock"),
    ("Error (criu/sockets.c:515): sockets: Can't get 1:16(34) opt: Operation not supported",
     Phase.DUMP, "6.16.3", "6.16.3", "4.1.1", "so-passcred-inet"),
    ("Error (criu/mem.c:1): Unable to map ANON_VMA: Invalid argument",
     Phase.RESTORE, "6.12.117", "6.1.192", "4.2.1", "droppable-unknown"),
    ("Error (criu/mount-v2.c:1): mnt-v2: Failed to make mount 3112 slave: Invalid argument",
     Phase.RESTORE, "6.1.140", "6.1.147", "4.1", "mnt-v2-make-slave"),
    ("Error (criu/cr-restore.c:1499): 20003 killed by signal 11: Segmentation fault",
     Phase.RESTORE, "6.1.192", "5.10.262", "3.17.1", "rseq-area-kept"),
    ("No tmpfs-dev-5.tar.gz.img image",
     Phase.RESTORE, "6.1.192", "6.12.118", "4.1.1", "devtmpfs-number"),
    ("clock_getres: clock 1 has not the resolution that the kernel says; clock_getres: clock 0 has not the resolution",
     Phase.CHECK, "6.12.118", "5.10.262", "4.1.1", "vdso-getres"),
    ("the kernel has registrations 0x10, expected 0x14",
     Phase.CHECK, "6.1.192", "6.12.118", "4.1.1", "membarrier-global-unseen"),
)  # fmt: skip

# the same words where they are not known
ELSEWHERE = (
    (SEEN[0][0], Phase.RESTORE, "5.10.262", "6.1.192", "4.1.1", "so-buf-lock"),
    (SEEN[2][0], Phase.DUMP, "7.3.4", "7.3.4", "4.2.1", "udplite-diag"),
    (SEEN[4][0], Phase.DUMP, "6.12.117", "6.12.117", "3.17.1", "vvar-vclock"),
    (SEEN[7][0], Phase.RESTORE, "6.1.140", "6.1.153", "4.1", "mnt-v2-make-slave"),
    (SEEN[8][0], Phase.RESTORE, "5.10.262", "6.1.192", "3.17.1", "rseq-area-kept"),
    (SEEN[11][0], Phase.CHECK, "6.12.118", "7.3.4", "4.1.1", "membarrier-global-unseen"),
    (SEEN[8][0], Phase.RESTORE, "6.1.192", "5.10.262", "4.1.1", "rseq-area-kept"),
)


@pytest.fixture(scope="module")
def known() -> KnownBreakages:
    return load()


def at(phase: Phase, source: str, destination: str, criu: str) -> Circumstances:
    return Circumstances(phase, V(source), V(destination), V(criu))


@pytest.mark.parametrize(("line", "phase", "source", "destination", "criu", "name"), SEEN)
def test_what_was_seen_is_known(
    known: KnownBreakages, line: str, phase: Phase, source: str, destination: str, criu: str, name: str
) -> None:
    match = known.match([line], at(phase, source, destination, criu))
    assert match.breakage is not None
    assert match.breakage.id == name


@pytest.mark.parametrize(("line", "phase", "source", "destination", "criu", "name"), ELSEWHERE)
def test_the_same_words_in_other_versions_are_pointed_out_and_not_accepted(
    known: KnownBreakages, line: str, phase: Phase, source: str, destination: str, criu: str, name: str
) -> None:
    match = known.match([line], at(phase, source, destination, criu))
    assert match.breakage is None
    assert name in [entry.id for entry in match.outside]


def test_an_rseq_area_of_the_old_size_is_no_known_breakage(known: KnownBreakages) -> None:
    line = "Error (criu/pie/restorer.c:512): failed sys_rseq(0x7f1c, 0x20, 0x0, 0x53053053) = -22"
    assert known.match([line], at(Phase.RESTORE, "7.3.4", "6.1.192", "4.1.1")).breakage is None


@pytest.mark.parametrize(("row", "source", "fixed"), [(row, *told) for row, told in ROWS.items()])
def test_every_row_that_concerns_x86_64_is_there_with_its_source(
    known: KnownBreakages, row: int, source: str, fixed: str | None
) -> None:
    entries = [entry for entry in known if entry.row == row]
    assert any(source in entry.sources and entry.fixed.criu == fixed for entry in entries), entries


def test_no_row_is_left_out_and_every_entry_says_where_it_is_from(known: KnownBreakages) -> None:
    rows = {entry.row for entry in known} - {None}
    assert rows == set(ROWS) == set(range(1, 40)) - OTHER_ARCHITECTURES
    for entry in known:
        assert all(re.search(r"#\d+|[0-9a-f]{9,}|/|list", source) for source in entry.sources), entry.id
        assert entry.interface


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: {log: ['['], phases: [dump]}", "log.0: "),
        ("a: {log: [x], phases: [landing]}", "phases.0: "),
        ("a: {log: [x], phases: [dump], source: ['6.1']}", "source.0: "),
        ("a: {log: [x], phases: [dump], colour: red}", "colour: "),
        ("- a", "expected entries by name"),
        ("a: [", "broken.yaml"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(HarnessError, match=re.escape(said)):
        load(path)
