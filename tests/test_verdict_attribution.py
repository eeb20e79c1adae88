"""Verdicts from controls: every answer has a matrix in which it is the only right one."""

from __future__ import annotations

from collections.abc import Iterable

import ledgers
import pytest

from harness.matrix.cell import Cell, Outcome, Phase, Reason
from harness.matrix.ledger import Attempt, KernelIdentity
from harness.verdict.attribution import attribute
from harness.verdict.known import Blame, KnownBreakages, load
from harness.verdict.order import Direction
from harness.verdict.signature import normalize
from harness.verdict.verdict import Judgement, Verdict

KERNELS = {
    "old": KernelIdentity("6.1.0-47-cloud-amd64", "6.1.170-3", "aa"),
    "new": KernelIdentity("6.12.117+deb13-cloud-amd64", "6.12.117-1", "bb"),
    "patched": KernelIdentity("6.12.117+deb13-cloud-amd64", "6.12.117-1", "cc"),
    "5.10": KernelIdentity("5.10.0-46-cloud-amd64", "5.10.262-1", "dd"),
}
STRANGE = "Error (criu/x.c:1): something that nobody has seen"
SOCKET = "Error (criu/sockets.c:628): sockets: Can't set 1:72 (len 4): Protocol not available"
RESEQ = "Error (criu/cr-dump.c:203): 20001 has rseq but kernel lacks get_rseq_conf feature"


@pytest.fixture(scope="module")
def known() -> KnownBreakages:
    return load()


def move(source: str, destination: str) -> Cell:
    return Cell("trixie", "cold", "tcp", source, destination)


def said(
    cell: Cell,
    outcome: Outcome = Outcome.PASS,
    phase: Phase = Phase.CHECK,
    reason: Reason | None = None,
    error: str | None = None,
    criu: str = "4.1.1",
) -> Attempt:
    kernels = {"source": KERNELS[cell.source], "destination": KERNELS[cell.destination]}
    signature = normalize(error) if error else None
    made = {
        "signature": signature,
        "phase": phase,
        "reason": reason,
        "error": error,
        "criu": criu,
        "kernels": kernels,
    }
    return ledgers.attempt(cell, outcome, **made)


def red(cell: Cell, phase: Phase, error: str = STRANGE, reason: Reason = Reason.CRIU) -> Attempt:
    return said(cell, Outcome.FAIL, phase, reason, error)


def judge(known: KnownBreakages, attempts: Iterable[Attempt], cell: Cell) -> Judgement:
    return attribute({attempt.cell: attempt for attempt in attempts}, known)[cell]


def with_diagonals(*attempts: Attempt) -> list[Attempt]:
    return [said(move("old", "old")), said(move("new", "new")), said(move("5.10", "5.10")), *attempts]


def test_forward_with_good_diagonals_is_a_breakage_of_the_kernels(known: KnownBreakages) -> None:
    cell = move("old", "new")
    found = judge(known, with_diagonals(red(cell, Phase.RESTORE)), cell)
    assert found.verdict is Verdict.CROSS_KERNEL_BREAKAGE
    assert (found.direction, found.blame, found.known) == (Direction.FORWARD, Blame.KERNEL, None)
    assert "newer kernel new" in found.why


def test_backward_with_good_diagonals_is_backward_only(known: KnownBreakages) -> None:
    cell = move("new", "5.10")
    found = judge(known, with_diagonals(red(cell, Phase.RESTORE, SOCKET)), cell)
    assert found.verdict is Verdict.BACKWARD_ONLY
    assert (found.direction, found.blame, found.known) == (Direction.BACKWARD, Blame.CRIU, "so-buf-lock")
    assert found.interface == "setsockopt(SO_BUF_LOCK) (5.15)"


def test_a_patched_kernel_of_the_same_version_is_to_blame_as_a_newer_one_is(known: KnownBreakages) -> None:
    cell = move("new", "patched")
    attempts = [*with_diagonals(red(cell, Phase.RESTORE)), said(move("patched", "patched"))]
    found = judge(known, attempts, cell)
    assert (found.verdict, found.direction) == (Verdict.CROSS_KERNEL_BREAKAGE, Direction.SIDEWAYS)


@pytest.mark.parametrize("phase", [Phase.RESTORE, Phase.DUMP])
def test_a_destination_whose_own_diagonal_fails_alike_is_broken(known: KnownBreakages, phase: Phase) -> None:
    cell = move("old", "new")
    attempts = [said(move("old", "old")), red(move("new", "new"), phase), red(cell, Phase.RESTORE)]
    found = judge(known, attempts, cell)
    assert found.verdict is Verdict.DESTINATION_BROKEN
    assert found.blame is Blame.UNKNOWN


def test_a_diagonal_that_cannot_be_dumped_for_another_reason_says_nothing_of_restores(
    known: KnownBreakages,
) -> None:
    cell, own = move("new", "5.10"), red(move("5.10", "5.10"), Phase.DUMP, RESEQ)
    attempts = [said(move("new", "new")), own, red(cell, Phase.RESTORE)]
    found = judge(known, attempts, cell)
    assert found.verdict is Verdict.UNDETERMINED
    assert found.settle == "kmatrix run --userlands '*' --scenarios tcp --kernels new,5.10"
    # what is known to need just such a move is explained all the same
    found = judge(known, [*attempts[:2], red(cell, Phase.RESTORE, SOCKET)], cell)
    assert (found.verdict, found.known) == (Verdict.BACKWARD_ONLY, "so-buf-lock")
    assert "so-buf-lock is known to need such a move" in found.why
    assert found.settle is None


def test_what_is_known_to_hit_every_restore_there_needs_no_diagonal_to_say_so(known: KnownBreakages) -> None:
    """Debian 12's CRIU on 5.10: the diagonal cannot be dumped, and no restore there survives."""
    cell, own = move("new", "5.10"), red(move("5.10", "5.10"), Phase.DUMP, RESEQ)
    killed = "Error (criu/cr-restore.c:1499): 20003 killed by signal 11: Segmentation fault"
    failure = said(cell, Outcome.FAIL, Phase.RESTORE, Reason.CRIU, killed, criu="3.17.1")
    for controls in ([own], [], [own, said(move("new", "new"))]):
        found = judge(known, [*controls, failure], cell)
        assert (found.verdict, found.known) == (Verdict.DESTINATION_BROKEN, "rseq-area-kept")
        assert "is known to hit every restore under 5.10" in found.why
        assert found.settle is None
    # a diagonal that passes says otherwise, and so does a CRIU that is not known for it
    passed = judge(known, [said(move("new", "new")), said(move("5.10", "5.10")), failure], cell)
    assert passed.verdict is Verdict.BACKWARD_ONLY
    newer = said(cell, Outcome.FAIL, Phase.RESTORE, Reason.CRIU, killed)
    assert judge(known, [own, newer], cell).verdict is Verdict.UNDETERMINED


def test_a_source_that_cannot_be_dumped_is_broken_and_nothing_else_matters(known: KnownBreakages) -> None:
    cell = move("5.10", "new")
    found = judge(known, [red(cell, Phase.DUMP, RESEQ)], cell)
    assert (found.verdict, found.known) == (Verdict.SOURCE_BROKEN, "rseq-no-conf")
    assert found.remedy is not None
    assert found.remedy.startswith("GLIBC_TUNABLES=glibc.pthread.rseq=0")
    assert found.settle is None


def test_a_source_whose_checkpoint_does_not_come_back_there_is_broken(known: KnownBreakages) -> None:
    cell = move("old", "new")
    attempts = [red(move("old", "old"), Phase.RESTORE), said(move("new", "new")), red(cell, Phase.RESTORE)]
    assert judge(known, attempts, cell).verdict is Verdict.SOURCE_BROKEN


@pytest.mark.parametrize("reason", [Reason.CHECK, Reason.DEADLINE])
def test_a_check_that_fails_after_a_restore_is_the_worst(known: KnownBreakages, reason: Reason) -> None:
    cell = move("old", "new")
    found = judge(known, with_diagonals(red(cell, Phase.CHECK, "the counter jumped", reason)), cell)
    assert found.verdict is Verdict.STATE_CHANGED
    assert found.verdict.rank == max(verdict.rank for verdict in Verdict)
    assert "without a move" not in found.why


def test_state_that_is_lost_without_a_move_is_told_so(known: KnownBreakages) -> None:
    cell, own = move("old", "new"), move("new", "new")
    lost = [red(c, Phase.CHECK, "the counter jumped", Reason.CHECK) for c in (cell, own)]
    found = attribute({a.cell: a for a in (said(move("old", "old")), *lost)}, known)
    assert found[cell].verdict is found[own].verdict is Verdict.STATE_CHANGED
    assert "so it does without a move, under new" in found[cell].why


def test_a_kernel_that_complains_is_a_crash_on_the_side_where_it_was(known: KnownBreakages) -> None:
    words = "the guest's kernel reports: BUG: unable to handle page fault"
    crash = red(move("old", "new"), Phase.RESTORE, words, Reason.KERNEL)
    found = judge(known, with_diagonals(crash), crash.cell)
    assert (found.verdict, found.blame) == (Verdict.KERNEL_CRASH, Blame.KERNEL)
    assert "kernel of new" in found.why
    crash = red(move("old", "new"), Phase.DUMP, words, Reason.KERNEL)
    assert "kernel of old" in judge(known, with_diagonals(crash), crash.cell).why


@pytest.mark.parametrize(
    ("controls", "named"),
    [
        ([], ("old", "new")),
        ([said(move("old", "old"))], ("new",)),
        ([said(move("old", "old")), said(move("new", "new"), Outcome.ERROR)], ("new",)),
        ([said(move("old", "old"), Outcome.FLAKY), said(move("new", "new"))], ("old",)),
    ],
)
def test_without_controls_nothing_is_claimed(
    known: KnownBreakages, controls: list[Attempt], named: tuple[str, ...]
) -> None:
    cell = move("old", "new")
    found = judge(known, [*controls, red(cell, Phase.RESTORE)], cell)
    assert found.verdict is Verdict.UNDETERMINED
    assert found.settle == (f"kmatrix run --userlands trixie --scenarios tcp --kernels {','.join(named)}")


@pytest.mark.parametrize(
    ("outcome", "reason", "verdict", "word"),
    [
        (Outcome.PASS, None, Verdict.COMPATIBLE, "whole"),
        (Outcome.ERROR, Reason.LAB, Verdict.LAB_ERROR, "lab"),
        (Outcome.ERROR, Reason.CRIU, Verdict.LAB_ERROR, "a pid that the restore needs was taken under new"),
        (Outcome.FLAKY, Reason.CRIU, Verdict.FLAKY, "tried again"),
        (Outcome.SKIP, Reason.NEED, Verdict.WORKLOAD_NEEDS, "needs"),
        (Outcome.SKIP, Reason.REFUSAL, Verdict.WORKLOAD_NEEDS, "refuses"),
        (Outcome.SKIP, Reason.BASELINE, Verdict.WORKLOAD_NEEDS, "without CRIU"),
        (Outcome.SKIP, Reason.LAB, Verdict.LAB_ERROR, "lab"),
    ],
)
def test_what_needs_no_control(
    known: KnownBreakages, outcome: Outcome, reason: Reason | None, verdict: Verdict, word: str
) -> None:
    cell = move("old", "new")
    error = None if outcome is Outcome.PASS else SOCKET
    found = judge(known, [said(cell, outcome, Phase.RESTORE, reason, error)], cell)
    assert found.verdict is verdict
    assert word in found.why
    # a lab error is never a known breakage, whatever words it has
    assert found.known is None
    assert found.blame is (Blame.LAB if verdict is Verdict.LAB_ERROR else None)


def test_a_baseline_that_fails_is_the_workloads_need_and_its_panic_the_kernels(known: KnownBreakages) -> None:
    cell = Cell.baseline("trixie", "tcp", "old")
    assert (
        judge(known, [red(cell, Phase.BASELINE, "no", Reason.CHECK)], cell).verdict is Verdict.WORKLOAD_NEEDS
    )
    panic = red(cell, Phase.BASELINE, "Kernel panic", Reason.KERNEL)
    assert judge(known, [panic], cell).verdict is Verdict.KERNEL_CRASH


def test_known_words_in_other_versions_are_pointed_out(known: KnownBreakages) -> None:
    cell = move("old", "new")
    found = judge(known, with_diagonals(red(cell, Phase.RESTORE, SOCKET)), cell)
    assert (found.known, found.looks_like) == (None, ("so-buf-lock",))
    assert found.blame is Blame.KERNEL


def test_the_rest_of_the_log_is_searched_when_the_first_line_says_nothing(known: KnownBreakages) -> None:
    cell = move("new", "5.10")
    states = {a.cell: a for a in with_diagonals(red(cell, Phase.RESTORE))}
    found = attribute(states, known, log=lambda _attempt: [STRANGE, SOCKET])[cell]
    assert found.known == "so-buf-lock"


def test_twelve_thousand_cells(known: KnownBreakages) -> None:
    kernels = tuple((f"k{n}", f"6.{n}.1", f"6.{n}.1-1") for n in range(20))
    scenarios = tuple(f"s{n}" for n in range(30))
    states = {}
    for scenario in scenarios:
        for source, *one in kernels:
            for destination, *other in kernels:
                cell = Cell("trixie", "cold", scenario, source, destination)
                ids = {
                    "source": KernelIdentity(*one, source),
                    "destination": KernelIdentity(*other, destination),
                }
                bad = cell.source != cell.destination and (int(scenario[1:]) + int(source[1:])) % 7 == 0
                states[cell] = ledgers.attempt(
                    cell,
                    Outcome.FAIL if bad else Outcome.PASS,
                    kernels=ids,
                    phase=Phase.RESTORE,
                    reason=Reason.CRIU if bad else None,
                    error=f"{STRANGE} {scenario}" if bad else None,
                    criu="4.1.1",
                )
    found = attribute(states, known)
    assert set(found) == set(states)
    wanted = {Verdict.COMPATIBLE, Verdict.CROSS_KERNEL_BREAKAGE, Verdict.BACKWARD_ONLY}
    assert {one.verdict for one in found.values()} == wanted
