"""Who should hear of a cell, and why a report of it would be noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.matrix.cell import Outcome
from harness.matrix.ledger import Attempt
from harness.report.sanitize import visible
from harness.upstream.evidence import Evidence, KernelFacts
from harness.upstream.frontier import Axis, Frontier
from harness.upstream.taint import letters
from harness.verdict.known import Blame
from harness.verdict.order import Direction
from harness.verdict.verdict import Verdict

_BROKEN = (Verdict.SOURCE_BROKEN, Verdict.DESTINATION_BROKEN)
_NOTHING_WRONG = {
    Verdict.COMPATIBLE: "nothing is wrong with this cell",
    Verdict.WORKLOAD_NEEDS: "the question could not be asked of this cell",
}
_NOT_UPSTREAM = {
    Blame.DESIGN: "nobody can mend it: the older kernel cannot have what the newer one's process holds",
    Blame.USERLAND: "it is for the distribution to mend (its C library, its packages)",
    Blame.ENVIRONMENT: "it is the host's configuration, or what else runs on it",
}


@dataclass(frozen=True)
class Audience:
    """To whom drafts are written. CRIU's developers always get theirs."""

    kernel: bool
    why: str
    """Why the kernel's developers are, or are not, among them."""


def audience(evidence: Evidence, frontier: Frontier) -> Audience:
    """Whose matter it is, by the verdict's blame."""
    judgement = evidence.judgement
    if judgement.blame is Blame.CRIU:
        return Audience(False, "it is CRIU's to mend, so there is no mail to the kernel's developers")
    if judgement.verdict in _BROKEN and judgement.blame is not Blame.KERNEL:
        return Audience(
            False,
            "CRIU does not work on this kernel at all and no interface is known to have changed, so CRIU's developers "
            "come first and there is no mail to the kernel's",
        )
    if judgement.verdict is Verdict.STATE_CHANGED and judgement.blame is not Blame.KERNEL:
        if frontier.good is None:
            return Audience(
                False,
                "no older kernel is known to keep this state, so CRIU's developers come first and there is no mail to "
                "the kernel's",
            )
        return Audience(
            True, "an older kernel keeps this state, so kernel and CRIU are under suspicion alike"
        )
    return Audience(
        True, "CRIU uses public interfaces only, and what worked on an older kernel does not any more"
    )


def reasons(evidence: Evidence, frontier: Frontier, audience: Audience) -> list[str]:
    """Why a report would be noise, in sentences without their full stop; empty if it would not."""
    found = [*_of_the_verdict(evidence), *_of_the_kernels(evidence), *_of_what_is_known(evidence)]
    if audience.kernel and not found:
        found += [*_of_the_border(evidence, frontier)]
    return [*found, *_of_other_axes(evidence, frontier)]


def _of_the_verdict(evidence: Evidence) -> Iterator[str]:
    judgement, attempt = evidence.judgement, evidence.attempt
    match judgement.verdict:
        case Verdict.COMPATIBLE | Verdict.WORKLOAD_NEEDS as verdict:
            yield f"{_NOTHING_WRONG[verdict]}: {judgement.why.rstrip('.')}"
        case Verdict.LAB_ERROR:
            yield f"lab error, which says nothing of a kernel or of CRIU: {judgement.why.rstrip('.')}"
        case Verdict.FLAKY:
            yield f"flaky: it {judgement.why.rstrip('.')}; what does not fail every time cannot be bisected"
        case Verdict.UNDETERMINED:
            yield (
                f"undetermined: {judgement.why.rstrip('.')}; this would tell: "
                f"{visible(judgement.settle or 'a run with its controls')}"
            )
        case Verdict.BACKWARD_ONLY:
            yield f"backward-only: {judgement.why.rstrip('.')}; nobody promises that"
        case Verdict.STATE_CHANGED if judgement.direction is Direction.BACKWARD:
            yield (
                f"backward-only: the state is lost on the way to {evidence.destination.label}, which is older than "
                f"{evidence.source.label}; nobody promises that it is kept"
            )
    if attempt.outcome is Outcome.FAIL and evidence.failures < len(evidence.attempts):
        yield f"it failed in {evidence.failures} of {len(evidence.attempts)} tries only"


def _of_the_kernels(evidence: Evidence) -> Iterator[str]:
    sides: list[KernelFacts] = [evidence.source]
    if evidence.destination.identity.sha256 != evidence.source.identity.sha256:
        sides.append(evidence.destination)
    for kernel in sides:
        if foreign := kernel.taint.foreign:
            yield f"tainted kernel: {kernel.label} is tainted {foreign} ({letters(foreign)}), not by this failure"


def _of_what_is_known(evidence: Evidence) -> Iterator[str]:
    known, blame = evidence.known, evidence.judgement.blame
    if known is not None and known.fixed.text:
        yield f"known and fixed: it is {known.id} ({known.title}), fixed in {known.fixed.text}"
    if blame in _NOT_UPSTREAM and evidence.judgement.verdict is not Verdict.BACKWARD_ONLY:
        yield f"not upstream's: {_NOT_UPSTREAM[blame]}"


def _of_the_border(evidence: Evidence, frontier: Frontier) -> Iterator[str]:
    """What the kernel's developers call a regression has a version before it that works."""
    if frontier.good is None:
        yield (
            "no regression is shown: in this run no older kernel works, all else equal; run the cell with older kernels"
        )
    elif frontier.one_version:
        yield (
            f"more than the version changed: {frontier.good.label} and {frontier.bad.label} are builds of one version, "
            f"{frontier.bad.name}; whoever made the build should hear of it"
        )
    if not frontier.still_there:
        yield (
            f"gone in a newer kernel: {frontier.newest.name} ({frontier.newest.label}), the newest that was tried, "
            "works"
        )


def _of_other_axes(evidence: Evidence, frontier: Frontier) -> Iterator[str]:
    if frontier.good is None:
        return
    changed = [
        f"{name} ({visible(str(before))} when it worked, {visible(str(after))} when it failed)"
        for name, before, after in _axes(frontier.good.attempt, frontier.bad.attempt, frontier.axis)
        if before != after
    ]
    if changed:
        yield f"more than one axis changed between good and bad: the kernel, and {'; '.join(changed)}"


def _axes(good: Attempt, bad: Attempt, axis: Axis) -> Iterator[tuple[str, object, object]]:
    yield "the version of CRIU", good.criu, bad.criu
    yield "the image", good.cell.userland, bad.cell.userland
    yield "the processor", good.cpu, bad.cpu
    yield "the accelerator", good.accelerator, bad.accelerator
    for side, varied in (("source", Axis.SOURCE), ("destination", Axis.DESTINATION)):
        label = getattr(good.cell, side)
        if axis not in (varied, Axis.KERNEL) and label == getattr(bad.cell, side):
            before, after = (one.kernels[side].sha256[:12] for one in (good, bad))
            yield f"the other side's kernel, {visible(label)}", before, after
