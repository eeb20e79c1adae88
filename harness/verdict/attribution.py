"""Verdicts from controls: what baseline, both diagonals and the direction of the move say about a failure.

A move fails for one of few reasons, and the controls tell them apart. The workload may not run at all under a kernel:
then its baseline fails. CRIU may not work at all under a kernel: then that kernel's diagonal fails. Only where both
diagonals pass is it the pair.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from harness.matrix.cell import Cell, Outcome, Phase, Reason
from harness.matrix.ledger import Attempt
from harness.verdict.known import Blame, Circumstances, KnownBreakages, Match
from harness.verdict.order import Direction, KernelVersion, direction
from harness.verdict.verdict import Judgement, Verdict

Log = Callable[[Attempt], Iterable[str]]
"""Further error lines of an attempt's logs, for a failure whose first line says nothing known."""

_NEW_BLAME = {
    # CRIU uses only public interfaces: where both diagonals pass and the newer kernel refuses, an interface changed.
    Verdict.CROSS_KERNEL_BREAKAGE: Blame.KERNEL,
    Verdict.BACKWARD_ONLY: Blame.DESIGN,
    Verdict.KERNEL_CRASH: Blame.KERNEL,
    Verdict.DESTINATION_BROKEN: Blame.UNKNOWN,
    Verdict.SOURCE_BROKEN: Blame.UNKNOWN,
    Verdict.STATE_CHANGED: Blame.UNKNOWN,
}
_SIDEWAYS = {Direction.FORWARD: "newer", Direction.SIDEWAYS: "other"}


@dataclass(frozen=True)
class _Finding:
    verdict: Verdict
    why: str
    missing: tuple[Cell, ...] = ()


def attribute(
    states: Mapping[Cell, Attempt], known: KnownBreakages, log: Log | None = None
) -> dict[Cell, Judgement]:
    """The judgement of every cell; `states` are the cells' last words, the controls among them."""
    return {cell: _judge(cell, attempt, states, known, log) for cell, attempt in states.items()}


def circumstances(attempt: Attempt) -> Circumstances:
    """Phase and versions of an attempt."""
    source, destination = (attempt.kernels[side] for side in ("source", "destination"))
    return Circumstances(
        phase=attempt.phase,
        source=KernelVersion.of(source.release, source.version),
        destination=KernelVersion.of(destination.release, destination.version),
        criu=KernelVersion.of(attempt.criu) if attempt.criu else None,
    )


def way(attempt: Attempt) -> Direction:
    """Which way an attempt's move went."""
    where, kernels = circumstances(attempt), attempt.kernels
    same = kernels["source"].sha256 == kernels["destination"].sha256
    return direction(where.source, where.destination, same=same)


def _judge(
    cell: Cell, attempt: Attempt, states: Mapping[Cell, Attempt], known: KnownBreakages, log: Log | None
) -> Judgement:
    going = way(attempt)
    match = _match(attempt, known, log) if attempt.outcome is Outcome.FAIL else Match()
    found = _find(cell, attempt, going, states, match)
    if found.verdict in (Verdict.COMPATIBLE, Verdict.WORKLOAD_NEEDS, Verdict.FLAKY):
        return Judgement(cell, found.verdict, found.why, going)
    if found.verdict is Verdict.LAB_ERROR:
        return Judgement(cell, found.verdict, found.why, going, Blame.LAB)
    entry = match.breakage
    return Judgement(
        cell,
        found.verdict,
        found.why,
        going,
        blame=entry.blame if entry else _NEW_BLAME.get(found.verdict, Blame.UNKNOWN),
        known=entry.id if entry else None,
        looks_like=tuple(other.id for other in match.outside),
        interface=entry.interface if entry else None,
        remedy=_remedy(match),
        settle=_settle(cell, found.missing, states) if found.missing else None,
    )


def _match(attempt: Attempt, known: KnownBreakages, log: Log | None) -> Match:
    where = circumstances(attempt)
    first = known.match([attempt.error] if attempt.error else [], where)
    if first.breakage or log is None:
        return first
    more = known.match(log(attempt), where)
    return (
        more
        if more.breakage
        else Match(None, tuple({entry.id: entry for entry in (*first.outside, *more.outside)}.values()))
    )


def _remedy(match: Match) -> str | None:
    if match.breakage is None or (remedy := match.breakage.remedy) is None:
        return None
    parts = [*(f"{name}={value}" for name, value in remedy.env.items()), *remedy.criu]
    return " ".join([*parts, *([f"({remedy.text})"] if parts and remedy.text else [remedy.text])]).strip()


def _find(
    cell: Cell, attempt: Attempt, going: Direction, states: Mapping[Cell, Attempt], match: Match
) -> _Finding:
    simple = _without_controls(cell, attempt)
    if simple is not None:
        return simple
    if cell.is_diagonal:
        return _diagonal(cell, attempt)
    return _pair(cell, attempt, going, states, match)


def _without_controls(cell: Cell, attempt: Attempt) -> _Finding | None:
    """What needs no control to be understood."""
    match attempt.outcome:
        case Outcome.PASS:
            said = "the workload runs" if cell.is_baseline else "the state arrived whole"
            return _Finding(Verdict.COMPATIBLE, f"{said}.")
        case Outcome.ERROR if attempt.reason is Reason.CRIU:
            # the one failure of CRIU that the ledger has as an error (`harness.matrix.life`)
            return _Finding(
                Verdict.LAB_ERROR,
                f"a pid that the restore needs was taken under {cell.destination}, which is the lab's to keep free.",
            )
        case Outcome.ERROR:
            return _Finding(Verdict.LAB_ERROR, f"the lab itself failed in phase {attempt.phase}.")
        case Outcome.FLAKY:
            return _Finding(Verdict.FLAKY, f"failed in phase {attempt.phase} and passed when tried again.")
        case Outcome.SKIP if attempt.reason is Reason.LAB:
            return _Finding(Verdict.LAB_ERROR, "the lab itself failed before this cell could be tried.")
        case Outcome.SKIP:
            return _Finding(Verdict.WORKLOAD_NEEDS, _skipped(attempt))
    if attempt.reason is Reason.KERNEL:
        on = cell.source if attempt.phase in (Phase.BASELINE, Phase.START, Phase.DUMP) else cell.destination
        return _Finding(
            Verdict.KERNEL_CRASH, f"the kernel of {on} complained of itself in phase {attempt.phase}."
        )
    if cell.is_baseline:
        return _Finding(
            Verdict.WORKLOAD_NEEDS, f"the workload does not run under {cell.source} even without CRIU."
        )
    return None


def _skipped(attempt: Attempt) -> str:
    match attempt.reason:
        case Reason.REFUSAL:
            return "CRIU refuses to dump this kind of state, and says so."
        case Reason.DIAGONAL:
            return "what it holds is lost or refused without a move, so nothing is asked of one."
        case Reason.BASELINE:
            return "the workload does not run under one of the kernels even without CRIU."
        case _:
            return "something that the workload needs is not there."


def _diagonal(cell: Cell, attempt: Attempt) -> _Finding:
    """Source and destination are one kernel, so no difference between kernels can be the reason."""
    if _lost_state(attempt):
        return _Finding(
            Verdict.STATE_CHANGED,
            f"restored under the same kernel {cell.source}, and a check failed: no move is needed for this.",
        )
    if attempt.phase is Phase.DUMP:
        return _Finding(Verdict.SOURCE_BROKEN, f"CRIU cannot dump this workload under {cell.source} at all.")
    return _Finding(
        Verdict.DESTINATION_BROKEN,
        f"CRIU cannot restore under {cell.source} even what it dumped there.",
    )


def _lost_state(attempt: Attempt) -> bool:
    return attempt.phase is Phase.CHECK and attempt.reason in (Reason.CHECK, Reason.DEADLINE)


def _pair(
    cell: Cell, attempt: Attempt, going: Direction, states: Mapping[Cell, Attempt], match: Match
) -> _Finding:
    at_source, at_destination = (_diagonal_of(cell, label) for label in (cell.source, cell.destination))
    source, destination = states.get(at_source), states.get(at_destination)
    if attempt.phase is Phase.DUMP:
        # What failed happened on the source alone; its diagonal is the same dump.
        return _Finding(
            Verdict.SOURCE_BROKEN, f"CRIU cannot dump this workload under {cell.source}, whatever comes then."
        )
    if _lost_state(attempt):
        return _Finding(Verdict.STATE_CHANGED, _where_lost(cell, source, destination))
    if _restore_failed(source):
        return _Finding(
            Verdict.SOURCE_BROKEN, f"what was dumped under {cell.source} does not even come back there."
        )
    if _tells_of_restores(destination, attempt):
        assert destination is not None, "a diagonal that failed is there"
        return _Finding(Verdict.DESTINATION_BROKEN, _no_criu_there(cell, destination))
    missing = tuple(
        control
        for control, state in ((at_source, source), (at_destination, destination))
        if state is None or state.outcome is not Outcome.PASS
    )
    if at_destination in missing and _explained_by_the_destination(attempt, match):
        return _Finding(
            Verdict.DESTINATION_BROKEN,
            f"{_evidence((at_destination,), match, 'hit every restore')} under {cell.destination}.",
        )
    if missing and not _explained_by_the_move(attempt, match):
        absent = " and ".join(_absent(control, states.get(control)) for control in missing)
        return _Finding(Verdict.UNDETERMINED, f"the restore fails, and {absent}.", missing)
    return _by_direction(cell, going, _evidence(missing, match))


def _by_direction(cell: Cell, going: Direction, evidence: str) -> _Finding:
    if going is Direction.BACKWARD:
        return _Finding(
            Verdict.BACKWARD_ONLY,
            f"{evidence}; {cell.destination} is older and lacks what a process of {cell.source} holds.",
        )
    return _Finding(
        Verdict.CROSS_KERNEL_BREAKAGE,
        f"{evidence}, and the {_SIDEWAYS[going]} kernel {cell.destination} does not take "
        f"what was dumped under {cell.source}.",
    )


def _evidence(missing: tuple[Cell, ...], match: Match, known_to: str = "need such a move") -> str:
    if not missing:
        return "both kernels restore their own checkpoints"
    assert match.breakage is not None, "without a control only what is known explains a failure"
    controls = " and ".join(str(control) for control in missing)
    return f"the control {controls} gave no answer, but {match.breakage.id} is known to {known_to}"


def _explained_by_the_move(attempt: Attempt, match: Match) -> bool:
    return match.breakage is not None and match.breakage.needs_a_move(circumstances(attempt))


def _explained_by_the_destination(attempt: Attempt, match: Match) -> bool:
    return match.breakage is not None and match.breakage.is_the_destinations(circumstances(attempt))


def _restore_failed(control: Attempt | None) -> bool:
    return control is not None and control.outcome is Outcome.FAIL and control.phase is not Phase.DUMP


def _tells_of_restores(diagonal: Attempt | None, attempt: Attempt) -> bool:
    """Whether a destination's diagonal says that CRIU does not work there.

    One that failed at its dump for a reason of its own says nothing of restores.
    """
    if _restore_failed(diagonal):
        return True
    failed = diagonal is not None and diagonal.outcome is Outcome.FAIL
    return failed and diagonal is not None and diagonal.signature == attempt.signature


def _where_lost(cell: Cell, source: Attempt | None, destination: Attempt | None) -> str:
    also = [
        label
        for label, control in ((cell.source, source), (cell.destination, destination))
        if control is not None and control.outcome is Outcome.FAIL and _lost_state(control)
    ]
    if also:
        return f"restored, and a check failed; so it does without a move, under {' and '.join(also)}."
    return "restored, and a check failed: what came back is not what was saved."


def _no_criu_there(cell: Cell, diagonal: Attempt) -> str:
    if diagonal.phase is Phase.DUMP:
        return f"under {cell.destination} CRIU can neither restore this nor dump the same, for one reason."
    return f"CRIU cannot restore under {cell.destination} even what it dumped there."


def _absent(cell: Cell, state: Attempt | None) -> str:
    said = "not run" if state is None else f"no help ({state.outcome} in {state.phase})"
    return f"the control {cell} was {said}"


def _diagonal_of(cell: Cell, label: str) -> Cell:
    return Cell(cell.userland, cell.mode, cell.scenario, label, label)


def _settle(cell: Cell, missing: Iterable[Cell], states: Mapping[Cell, Attempt]) -> str:
    """The run that would give the controls; one that failed for good needs another CRIU."""
    failed = [c for c in missing if c in states and states[c].outcome is Outcome.FAIL]
    labels = [cell.source, cell.destination] if failed else [control.source for control in missing]
    userlands = "*" if failed else cell.userland
    words = ["kmatrix", "run", "--userlands", userlands, "--scenarios", cell.scenario]
    return shlex.join([*words, "--kernels", ",".join(dict.fromkeys(labels))])
