"""`issue.md`: the issue for CRIU's tracker, in the sections of its issue template (`.github/ISSUE_TEMPLATE.md`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.matrix.cell import Phase, Reason
from harness.report.sanitize import visible
from harness.upstream.evidence import KernelFacts
from harness.upstream.story import Story
from harness.upstream.text import render

FILE = "issue.md"
LIMIT = 65_536
"""Characters that the tracker takes in one issue."""
_ROOM = 4_096
"""Kept for what is added by hand."""
_NO_CHECK = (
    "not recorded by this run; reproduce.sh prints it for both kernels, as does\n"
    "criu check --all\n"
    "[FILL IN before this is filed]"
)
_EXPECTED = {
    Phase.DUMP: "The dump finishes, as it does on the kernels that are listed below as working.",
    Phase.RESTORE: "The process is restored and goes on.",
    Phase.CHECK: "The restored process has the state that was checkpointed.",
}


@dataclass(frozen=True)
class Logs:
    """CRIU's full logs: those that fit into the issue, those that do not, and those that are not there."""

    inside: tuple[tuple[str, str], ...]
    attached: tuple[str, ...]
    missing: tuple[str, ...]


def compose(story: Story, script: str | None, *, mailed: bool) -> str:
    """The issue's text. The logs stand in it in full if the tracker takes that much, else they are attached."""
    logs = {name: story.evidence.log(name) for name in _wanted(story)}
    there = {name: text for name, text in logs.items() if text}
    missing = tuple(name for name in logs if name not in there)
    room = LIMIT - _ROOM - len(_fill(story, script, Logs((), tuple(there), missing), mailed=mailed))
    inside: list[tuple[str, str]] = []
    for name in sorted(there, key=lambda name: len(there[name])):
        # Escaping can make it longer, never shorter.
        size = sum(len(visible(line, None)) + 1 for line in there[name].split("\n")) + 200
        if size <= room:
            inside.append((name, there[name]))
            room -= size
    shown = {name for name, _ in inside}
    attached = tuple(name for name in there if name not in shown)
    return _fill(story, script, Logs(tuple(sorted(inside)), attached, missing), mailed=mailed)


def title(story: Story) -> str:
    """The issue's title: the mail's subject without its mark, and never the end of the comment that it stands in."""
    return visible(story.subject.removeprefix("[REGRESSION] ").removeprefix("CRIU: "), 300).replace(
        "--", "- -"
    )


def packages(kernels: tuple[KernelFacts, ...]) -> str:
    """Names and hashes of the kernels' packages, one a line."""
    lines = []
    for kernel in kernels:
        lines.append(f"{kernel.identity.release}  from {kernel.origin or 'an unknown place'}")
        lines += [f"  {name} {kernel.identity.version or ''}  sha256 {sha}" for name, sha in kernel.packages]
        if not kernel.packages:
            lines.append(f"  no package; sha256 of image, configuration and modules {kernel.identity.sha256}")
    return "\n".join(lines)


def _wanted(story: Story) -> tuple[str, ...]:
    on_the_source = story.evidence.on_the_source
    return ("dump",) if on_the_source else ("dump", "restore")


def _expected(story: Story) -> str:
    if story.evidence.attempt.reason is Reason.KERNEL:
        return "The kernel has nothing to report about itself."
    return _EXPECTED.get(story.evidence.attempt.phase, "The process is checkpointed, restored and goes on.")


def _fill(story: Story, script: str | None, logs: Logs, *, mailed: bool) -> str:
    evidence = story.evidence
    text = render(
        "issue.md.j2",
        {
            "story": story,
            "title": title(story),
            "judgement": evidence.judgement,
            "why": evidence.judgement.why.rstrip("."),
            "audience": story.case.audience,
            "known": evidence.known,
            "impact": story.impact,
            "script": script,
            "unscripted": story.workload.unscripted
            if story.workload
            else "this checkout has no source of it",
            "expected": _expected(story),
            "logs": logs.inside,
            "attached": logs.attached,
            "missing": logs.missing,
            "check": evidence.check_all or _NO_CHECK,
            "packages": packages(story.kernels),
            "mailed": mailed,
        },
    )
    return re.sub(r"^\n+", "", text).rstrip("\n") + "\n"
