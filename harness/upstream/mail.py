"""`mail.eml`: the draft to the kernel's developers, as Documentation/admin-guide/reporting-regressions.rst asks."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime

from harness.report.sanitize import visible
from harness.upstream.recipients import Recipients
from harness.upstream.story import Story
from harness.upstream.text import cut_line, render

FILE = "mail.eml"
_POLICY = EmailPolicy(cte_type="8bit", linesep="\n")
"""Headers are folded at 78 columns; the body is left alone, because its transfer encoding is given."""
_SUBJECT = 300
"""Characters of a subject at most."""
_NOBODY = Address("FILL IN your name", "nobody", "example.invalid")


def compose(story: Story, recipients: Recipients, script: str | None) -> bytes:
    """The whole message. `script` is the variable by which the reproducer takes a kernel, None without a script."""
    message = EmailMessage(policy=_POLICY)
    message["From"] = _NOBODY
    message["To"] = ", ".join(recipients.to)
    if recipients.cc:
        message["Cc"] = ", ".join(recipients.cc)
    message["Subject"] = _one_line(story.subject)
    message["Date"] = format_datetime(_when(story))
    # Several mail programs open a message with this header as a draft that can be edited.
    message["X-Unsent"] = "1"
    if not recipients.asked:
        message["X-KMatrix-Todo"] = f"maintainers: {recipients.question}"
    message.set_content(body(story, script), cte="8bit")
    return message.as_bytes()


def body(story: Story, script: str | None) -> str:
    """The text, every line of which fits into a mail."""
    evidence = story.evidence
    unscripted = (
        story.workload.unscripted if story.workload else "this checkout has no source of the workload"
    )
    text = render(
        "mail.txt.j2",
        {
            "story": story,
            "evidence": evidence,
            "judgement": evidence.judgement,
            "known": evidence.known,
            "frontier": story.frontier,
            "good": story.frontier.good,
            "audience": story.case.audience,
            "why": visible(evidence.judgement.why.rstrip(".")),
            "difference": story.difference,
            "config": configuration(story),
            "impact": story.impact,
            "script": script,
            "unscripted": unscripted,
        },
    )
    text = re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"
    return "\n".join(cut_line(line.rstrip()) for line in text.split("\n"))


def configuration(story: Story) -> str:
    """Whether the two kernels were configured alike, in a few words."""
    difference = story.difference
    if difference is None:
        return "unknown: this machine does not have both configurations"
    if not difference.total:
        return "the same"
    count = len(difference.matters)
    told = f"{count} that may matter, see below" if count else "none that matters"
    return f"{difference.total} options differ, {told}"


def _one_line(text: str) -> str:
    return visible(" ".join(text.split()), _SUBJECT)


def _when(story: Story) -> datetime:
    """When the cell ran: the draft of one run is the same whenever it is written. A mail program sets its own date."""
    try:
        found = datetime.fromisoformat(story.evidence.attempt.started)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
