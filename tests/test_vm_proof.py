"""Proof that the lab tells the truth: real runs whose answers are known beforehand.

Of each it is asked how it could pass although the lab is wrong; the controls that rule this out stand beside it: the
same workload that survives where it should, or the same trick where it does no harm.
"""

from __future__ import annotations

import pytest
from proving import Proof, checkout, entry, prove

from harness.matrix.cell import Outcome, Phase, Reason
from harness.verdict.known import Blame
from harness.verdict.order import Direction
from harness.verdict.verdict import Verdict

pytestmark = pytest.mark.vm


@pytest.fixture(scope="module")
def backward(tmp_path_factory: pytest.TempPathFactory) -> Proof:
    """6.1 and 5.10: sockets that cannot go back, rseq that cannot be dumped, and what helps."""
    return prove(
        checkout(tmp_path_factory.mktemp("backward")), "trixie",
        "--kernels", "debian-5.10,debian-6.1", "--scenarios", "pipes,pipes_without_rseq",
        "-k", "pipes_without_rseq or to:debian-5.10:", "--try-remedies",
    )  # fmt: skip


@pytest.fixture(scope="module")
def forward(tmp_path_factory: pytest.TempPathFactory) -> Proof:
    """6.12 and 6.16: an interface that 6.16 changed, and three kinds of mischief."""
    return prove(
        checkout(tmp_path_factory.mktemp("forward")), "trixie",
        "--kernels", "debian-6.12,debian-6.16", "--scenarios", "tcp,shelf,corrupting,crashing,colliding",
        "-k", "tcp or (corrupting or crashing) and to:debian-6.16: or from:debian-6.12: and to:debian-6.12:",
    )  # fmt: skip


@pytest.fixture(scope="module")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Proof:
    """Debian 12's CRIU 3.17.1 where it does not work: on a kernel that is too new for it, and on one too old."""
    return prove(
        checkout(tmp_path_factory.mktemp("distribution")), "bookworm",
        "--kernels", "debian-5.10,debian-6.1,debian-6.12,debian-6.18", "--scenarios", "cpu",
        "-k", "(from:debian-6.12: and to:debian-6.18:) or (from:debian-6.1: and to:debian-5.10:)",
    )  # fmt: skip


def test_a_socket_does_not_go_back_before_so_buf_lock(backward: Proof) -> None:
    """5.10 could refuse everything: so its own diagonal passes, and so does the way there from 5.10."""
    name = "pipes_without_rseq"
    for source, destination in (("5.10", "5.10"), ("6.1", "6.1"), ("5.10", "6.1")):
        assert backward.of(name, source, destination).verdict is Verdict.COMPATIBLE
    found = backward.of(name, "6.1", "5.10")
    assert (found.verdict, found.direction) == (Verdict.BACKWARD_ONLY, Direction.BACKWARD)
    assert (found.known, found.interface) == ("so-buf-lock", "setsockopt(SO_BUF_LOCK) (5.15)")
    assert found.why.startswith("both kernels restore their own checkpoints; debian-5.10 is older")
    # no kernel is at fault; CRIU could leave the option out where the kernel has none
    assert found.blame is Blame.CRIU
    assert "Can't set 1:72" in (backward.last(name, "6.1", "5.10").error or "")
    assert set(backward.tries(name, "6.1", "5.10")) == {Outcome.FAIL}
    assert any("backward-only" in reason for reason in backward.upstream(name, "6.1", "5.10").reasons)


def test_a_control_that_gave_no_answer_is_not_taken_for_one(backward: Proof) -> None:
    """Under 5.10 `pipes` cannot even be dumped, which says nothing of restores; the cause is known to need the move."""
    found = backward.of("pipes", "6.1", "5.10")
    assert (found.verdict, found.known) == (Verdict.BACKWARD_ONLY, "so-buf-lock")
    assert "debian-5.10→debian-5.10 gave no answer" in found.why


def test_rseq_cannot_be_dumped_on_5_10_and_the_remedy_helps(backward: Proof) -> None:
    """The remedy could be reported without being tried: so its own ledger has the cell, restored and checked."""
    found = backward.of("pipes", "5.10", "5.10")
    assert (found.verdict, found.known) == (Verdict.SOURCE_BROKEN, "rseq-no-conf")
    assert (found.blame, found.interface) == (Blame.DESIGN, "PTRACE_GET_RSEQ_CONFIGURATION (5.13)")
    assert found.remedied == "helped"
    assert backward.last("pipes", "5.10", "5.10").phase is Phase.DUMP
    helped = ("pipes+rseq-no-conf", "5.10", "5.10")
    assert "Restore finished successfully" in backward.log("restore", *helped)
    assert backward.last(*helped).outcome is Outcome.PASS
    assert backward.baselines() == {Outcome.PASS}


def test_so_passcred_is_gone_from_inet_sockets_of_6_16(forward: Proof) -> None:
    """6.16 could be broken altogether: so the same kernel dumps and restores a workload without such a socket."""
    for destination in ("6.16", "6.12"):
        found = forward.of("tcp", "6.16", destination)
        assert (found.verdict, found.known) == (Verdict.SOURCE_BROKEN, "so-passcred-inet")
        assert (found.blame, entry(found).fixed.criu) == (Blame.KERNEL, "4.2")
        assert "SO_PASSCRED" in (found.interface or "")
        assert "under debian-6.16" in found.why
    assert forward.last("tcp", "6.16", "6.16").phase is Phase.DUMP
    assert forward.of("tcp", "6.12", "6.12").verdict is Verdict.COMPATIBLE
    assert forward.of("corrupting", "6.16", "6.16").verdict is Verdict.COMPATIBLE
    assert any("known and fixed" in reason for reason in forward.upstream("tcp", "6.16", "6.12").reasons)


def test_a_workload_that_spoils_its_own_memory_is_never_green(forward: Proof) -> None:
    """The check could fail whatever is done: so the same program, left alone or not moved, passes."""
    assert forward.of("shelf", "6.12", "6.12").verdict is Verdict.COMPATIBLE
    for kernel in ("6.12", "6.16"):
        assert forward.of("corrupting", kernel, kernel).verdict is Verdict.COMPATIBLE
    assert forward.baselines() == {Outcome.PASS}
    found = forward.of("corrupting", "6.12", "6.16")
    assert (found.verdict, found.known, found.interface) == (Verdict.STATE_CHANGED, None, None)
    # CRIU says that all is well, and nothing tells a bit that it lost from one that the kernel lost
    assert "Restore finished successfully" in forward.log("restore", "corrupting", "6.12", "6.16")
    assert found.blame is Blame.UNKNOWN
    assert "what came back is not what was saved" in found.why
    last = forward.last("corrupting", "6.12", "6.16")
    assert (last.phase, last.reason) == (Phase.CHECK, Reason.CHECK)
    assert "shelf: byte 99" in (last.error or "")
    assert set(forward.tries("corrupting", "6.12", "6.16")) == {Outcome.FAIL}
    worst_first = forward.printed.partition("worst first")[2]
    assert worst_first.index("state changed") < worst_first.index("source broken")


def test_a_panic_during_the_restore_is_the_destinations(forward: Proof) -> None:
    """It could be put down to the wrong side, to the change of kernel, or to the lab as a guest that was lost."""
    for kernel in ("6.12", "6.16"):
        assert forward.of("crashing", kernel, kernel).verdict is Verdict.COMPATIBLE
    found = forward.of("crashing", "6.12", "6.16")
    assert (found.verdict, found.blame, found.known) == (Verdict.KERNEL_CRASH, Blame.KERNEL, None)
    assert "the kernel of debian-6.16" in found.why
    last = forward.last("crashing", "6.12", "6.16")
    assert (last.phase, last.reason) == (Phase.RESTORE, Reason.KERNEL)
    assert "sysrq triggered crash" in (last.error or "")
    assert set(forward.tries("crashing", "6.12", "6.16")) == {Outcome.FAIL}


def test_a_pid_that_was_taken_is_the_labs_own_fault(forward: Proof) -> None:
    """CRIU's words are those of a failed restore; the cell must not be red."""
    found = forward.of("colliding", "6.12", "6.12")
    assert (found.verdict, found.blame, found.known) == (Verdict.LAB_ERROR, Blame.LAB, None)
    assert "a pid that the restore needs was taken" in found.why
    last = forward.last("colliding", "6.12", "6.12")
    assert (last.outcome, last.phase, last.reason) == (Outcome.ERROR, Phase.RESTORE, Reason.CRIU)
    assert "Restoring FAILED" in forward.log("restore", "colliding", "6.12", "6.12")
    assert any("lab error" in reason for reason in forward.upstream("colliding", "6.12", "6.12").reasons)


@pytest.mark.slow
def test_a_kernel_with_vvar_vclock_is_too_new_for_criu_3_17(distribution: Proof) -> None:
    """6.12 could be what is broken: so its own diagonal passes."""
    assert distribution.of("cpu", "6.12", "6.12").verdict is Verdict.COMPATIBLE
    found = distribution.of("cpu", "6.12", "6.18")
    assert (found.verdict, found.direction) == (Verdict.DESTINATION_BROKEN, Direction.FORWARD)
    assert (found.known, found.blame) == ("vvar-vclock", Blame.CRIU)
    assert "[vvar_vclock]" in (found.interface or "")
    assert entry(found).fixed.criu == "4.1"
    assert distribution.last("cpu", "6.12", "6.18").criu == "3.17.1"
    assert any("known and fixed" in reason for reason in distribution.upstream("cpu", "6.12", "6.18").reasons)


@pytest.mark.slow
def test_criu_3_17_kills_what_it_restores_on_5_10(distribution: Proof) -> None:
    """The crash of the first trials: CRIU's own rseq area stays registered (docs/findings.md)."""
    assert distribution.of("cpu", "6.1", "6.1").verdict is Verdict.COMPATIBLE
    found = distribution.of("cpu", "6.1", "5.10")
    assert (found.verdict, found.known) == (Verdict.DESTINATION_BROKEN, "rseq-area-kept")
    assert (found.blame, entry(found).fixed.criu) == (Blame.CRIU, "4.0")
    assert "killed by signal 11" in (distribution.last("cpu", "6.1", "5.10").error or "")
    # a program's own fault would leave a line about it: the kernel itself sent the signal
    assert "segfault at" not in distribution.log("dmesg", "cpu", "6.1", "5.10")
