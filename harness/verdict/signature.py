"""The first true error of a CRIU log, and its signature: the same cause gets the same one.

CRIU writes `Error (file.c:line): message` both for what ends a dump or restore and for what it then shrugs
off, and after the cause it writes what followed from it. The lists below say which is which, with the report
that shows it.
Everything here reads untrusted text and runs nothing.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass

NORMALISER = 1
"""Version of `normalize`, raised with every change of its rules: two versions' signatures do not compare."""

ERROR_LIMIT = 1000
"""Characters of an error line that are kept."""
SIGNATURE_LIMIT = 240

_STAMP = r"(?:\(\d+\.\d+\)\s*)?(?:pie:\s*)?(?:\d+:\s*)?"
"""`(00.012345)`, `pie:` for the restorer blob, and the task's pid; any of them can be missing."""
_LINE = re.compile(
    rf"^\s*{_STAMP}(?P<error>(?P<level>Error|Warn)\s+\((?P<file>[^():\s]+):\d+\):\s*(?P<text>.*))$"
)
_STAMPED = re.compile(rf"^\s*{_STAMP}")
_GLUED = re.compile(r"(?=\(\d\d\.\d{6}\)\s)")
"""A message without its newline, as CRIU's early log has them, has the next one on the same line."""
_SUCCESS = re.compile(r"(?:Dumping|Pre-dumping|Restore) finished successfully")


@dataclass(frozen=True)
class _Harmless:
    """An error after which CRIU goes on as if nothing had happened."""

    file: str
    text: re.Pattern[str]
    before: re.Pattern[str] | None = None
    """What the next warning must say; without it the same line is a true error."""


_HARMLESS = (
    # No legacy iptables on the host, which nobody needs: https://github.com/checkpoint-restore/criu/pull/1976
    _Harmless("util.c", re.compile(r'execvp\("ip6?tables(?:-legacy)?-save", ')),
    _Harmless("util.c", re.compile(r"ip6?tables(?:-legacy)?-save -V failed")),
    # The child of a probe; who needed it says so himself: https://github.com/checkpoint-restore/criu/issues/2229
    _Harmless("util.c", re.compile(r"exited, status=\d+$")),
    # A probe at start, where /dev/net/tun is missing; a dump that needs it says so itself. Seen with 4.1.1 in runs that
    # succeeded and in runs that failed of something else.
    _Harmless("tun.c", re.compile(r"tun: Unable to create tun: No such file or directory")),
    # The cgroup daemon's peer went away at the end, after success and after failure alike:
    # https://github.com/checkpoint-restore/criu/issues/2651
    _Harmless("cgroup.c", re.compile(r"cg: cgroupd: recv req error")),
    # Raw socket diagnostics that the kernel lacks, up to CRIU 3.11: .../criu/issues/588. The same words with
    # another number are a true error: .../criu/issues/1059
    _Harmless(
        "libnetlink.c", re.compile(r"(?:ERROR )?-2 reported by netlink"), re.compile("kernel doesn't support")
    ),
)

# Lines that say that something failed, never why.
_CONSEQUENCE = re.compile(
    r"(?:Pre-dumping|Dumping|Restoring) FAILED"
    r"|Dump [\w ]+\(pid: \d+\) failed with"
    r"|Pre-dump [\w ]*failed"
    r"|\d+ exited, status="
    r"|\d+ killed by signal 9\b"  # CRIU's own hand, once another task has failed: .../criu/issues/2694
    r"|mnt: Can't remove the directory "
)

# Causes that CRIU prints as plain information, with nothing but `... FAILED` behind them:
# https://github.com/checkpoint-restore/criu/issues/3002, https://github.com/gokrazy/gokrazy/issues/336;
# the contents of a devtmpfs, which are in no image (docs/findings.md)
_SILENT_CAUSE = re.compile(
    r"^sockets: Sock(?:e|ec)ts collect procedure family .*: -\d+$|^No tmpfs-dev-\d+\.tar\.gz\.img image$"
)


@dataclass(frozen=True)
class ErrorLine:
    """Where a log says what went wrong."""

    number: int
    """Of the line, from 0."""
    text: str
    """Without time and pid, cut to `ERROR_LIMIT`."""


def first_error(log_text: str) -> str | None:
    """The first true error line of a CRIU log, without time and pid: `Error (criu/vdso.c:381): vdso: ...`.

    None if CRIU reports none.
    """
    found = find_error(log_text)
    return found.text if found else None


def find_error(log_text: str) -> ErrorLine | None:
    """The first true error line and where it stands.

    What stands before the line that reports success did no harm; what stands behind it did.
    """
    numbered = enumerate(log_text.split("\n"))
    lines = [(number, part) for number, line in numbered for part in _GLUED.split(line) if part]
    done = next((place for place, (_, line) in enumerate(lines) if _SUCCESS.search(line)), -1)
    lines = lines[done + 1 :]
    consequence = None
    for place, (number, line) in enumerate(lines):
        match = _LINE.match(line)
        following = lines[place + 1][1] if place + 1 < len(lines) else None
        if match is None or match["level"] != "Error" or _is_harmless(match, following):
            continue
        error = ErrorLine(number, match["error"].rstrip()[:ERROR_LIMIT])
        if not _CONSEQUENCE.match(match["text"]):
            return error
        consequence = consequence or error
    return consequence and (_silent_cause(lines) or consequence)


def error_lines(log_text: str) -> Iterator[str]:
    """Every line in which CRIU reports an error, without time and pid; harmless ones and consequences too.

    A silent cause only where there is no error that says more: CRIU prints it whether it matters or not.
    """
    found = find_error(log_text)
    if found is not None and _SILENT_CAUSE.match(found.text):
        yield found.text
    for line in log_text.split("\n"):
        match = _LINE.match(line)
        if match is not None and match["level"] == "Error":
            yield match["error"].rstrip()[:ERROR_LIMIT]


def _is_harmless(error: re.Match[str], following: str | None) -> bool:
    name = error["file"].rpartition("/")[2]
    for harmless in _HARMLESS:
        if harmless.file == name and harmless.text.match(error["text"]):
            return harmless.before is None or bool(following and harmless.before.search(following))
    return False


def _silent_cause(lines: list[tuple[int, str]]) -> ErrorLine | None:
    for number, line in lines:
        text = _STAMPED.sub("", line).strip()
        if _SILENT_CAUSE.match(text):
            return ErrorLine(number, text[:ERROR_LIMIT])
    return None


def _hexadecimal(match: re.Match[str]) -> str:
    # The restorer prints what a raw system call returned: 0xfffffffffffffff4 is -ENOMEM, and that is a cause.
    value = int(match[0], 16)
    name = errno.errorcode.get(2**64 - value)
    return f"-{name}" if name else "0xN"


_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"^Error\s+\((?:[^():\s]*/)?([^():\s/]+):\d+\):"),
        r"\1:",
    ),  # CRIU before 2.0 had no directories
    (re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "ADDR"),
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "UUID"),
    (re.compile(r"\b\d+\.\d+(?:\.\d+)?-[\w.+~-]+"), "VERSION"),
    # A path is where, not what; an interface under /proc, /sys and /dev is what.
    (re.compile(r"(?<![\w/.<])/(?!(?:proc|sys|dev)\b)[\w.+@~-]+(?:/[\w.+@~-]*)*"), "PATH"),
    (re.compile(r"(?<=/fd/)\d+(?:/[^\s:]*)?"), "N"),
    # An inode, an id: CRIU prints them in hexadecimal without 0x.
    (re.compile(r"\b(socket|ino|inode|shmid|id|pipe_id|sk) (?:[0-9a-f]*\d[0-9a-f]*)\b"), r"\1 N"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{5,}\b"), "HEX"),
)

# Numbers that are the cause: a signal, a socket option's level, name and length, an errno, a protocol.
_CAUSES = (
    "signal ",
    "an't get ",
    "an't set ",
    "(len ",
    "status=",
    "errno ",
    "proto ",
    "family ",
    "type ",
    "syscall ",
)
_AFTER_CAUSE = "|".join(f"(?<={re.escape(word)})" for word in _CAUSES)
_NUMBER = re.compile(
    rf"(?P<kept>(?:{_AFTER_CAUSE})\d+(?::\d+)?(?:\(\d+\))?|(?<![\w.])-\d+\b)"
    r"|(?<![\w.-])\d+(?:\.\d+)*(?=(?:ms|s|[kKMG]i?B?)?(?!\w))"
)


def normalize(error: str) -> str:
    """The signature of an error: file and words kept; line numbers, addresses, pids, ids, times, paths gone.

    Takes any first line, the lab's own as well. Applied to a signature it changes nothing.
    """
    text = error.lstrip().split("\n", 1)[0][:ERROR_LIMIT]
    text = _STAMPED.sub("", text)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    text = re.sub(r"\b0x[0-9a-fA-F]{1,16}\b", _hexadecimal, text)
    text = _NUMBER.sub(lambda number: number["kept"] or "N", text)
    return re.sub(r"\s+", " ", text).strip()[:SIGNATURE_LIMIT]
