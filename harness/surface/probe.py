"""One kernel's surface, asked for in a guest: the probe is put there and run, then its CRIU is asked."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.cache import Cache, key_of
from harness.deadline import Deadline
from harness.errors import GuestCommandFailed
from harness.guests.guest import Guest, Hardware
from harness.images import Image
from harness.kernels import Kernel
from harness.surface import program
from harness.surface.catalogue import load
from harness.surface.record import CriuFindings, Finding, KernelName, Record, parse, text_of, undump

_LOG = logging.getLogger(__name__)
KIND = "surfaces"
GUEST_PATH = "/run/kmatrix/probe"
_FILE = "surface.json"
_PROBE_SECONDS = 60.0
"""It takes well under one; each of its 370 steps has an alarm of its own."""
_CHECK_SECONDS = 120.0
_FEATURES = re.compile(
    r"--feature FEAT\s+only check a particular feature, one of:(?P<names>.*?)\n\s*\n", re.DOTALL
)
_CHECK = """
criu=$1; shift
"$criu" check --all 2>&1
echo "=> $?"
for feature; do
	"$criu" check --feature "$feature" >/dev/null 2>&1
	echo "$feature $?"
done
"""


@dataclass(frozen=True)
class Subject:
    """What is probed: a kernel, on what it runs, with which CRIU."""

    label: str
    kernel: Kernel
    image: Image
    hardware: Hardware

    @property
    def key(self) -> str:
        """The same key means the same record."""
        return key_of(
            kernel=self.kernel.sha256,
            image=self.image.sha256,
            probe=program.digest(),
            script=_CHECK,
            hardware=[
                self.hardware.accelerator,
                self.hardware.cpu,
                self.hardware.vcpus,
                self.hardware.kernel_arguments,
            ],
        )


def known(subject: Subject, cache: Cache) -> Record | None:
    """What an earlier probing of the same kernel in the same image found."""
    path = cache.path(KIND, subject.key) / _FILE
    try:
        record = undump(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    return record.labelled(subject.label)


def probed(subject: Subject, cache: Cache, guest: Callable[[], Guest]) -> Record:
    """The record of a subject, out of the cache or of a booted guest. Raises every `GuestError`.

    The probe leaves traces, such as modules loaded on demand: the guest is to be reset or ended afterwards.
    """

    def make(directory: Path) -> None:
        (directory / _FILE).write_text(text_of(ask(subject, guest(), program.build(cache))), "utf-8")

    path = cache.entry(KIND, subject.key, make) / _FILE
    return undump(json.loads(path.read_text("utf-8"))).labelled(subject.label)


def ask(subject: Subject, guest: Guest, binary: Path) -> Record:
    """Probe a booted guest. Raises every `GuestError`, `GuestCommandFailed` if the probe does not run at all."""
    findings, seconds = _findings(guest, binary)
    criu = _criu(guest, subject.image)
    _LOG.debug("the surface of %s took %.2f s and its CRIU's check", subject.label, seconds)
    kernel = subject.kernel
    return Record(
        kernel=KernelName(subject.label, kernel.release, kernel.version, kernel.sha256),
        cpu=subject.hardware.cpu,
        accelerator=subject.hardware.accelerator,
        kernel_arguments=tuple(subject.hardware.kernel_arguments),
        probe=program.digest(),
        findings=findings,
        criu={subject.image.userland: criu},
        seconds=round(seconds, 3),
    )


def _findings(guest: Guest, binary: Path) -> tuple[dict[str, Finding], float]:
    deadline = Deadline.after(_PROBE_SECONDS)
    guest.write(GUEST_PATH, binary.read_bytes(), deadline)
    done = guest.run(GUEST_PATH, deadline=deadline)
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip()
        raise GuestCommandFailed(f"the surface's probe ended with {done.returncode}: {words}")
    return parse(done.text, load()), done.seconds


def _criu(guest: Guest, image: Image) -> CriuFindings:
    deadline = Deadline.after(_CHECK_SECONDS)
    said = guest.run(image.criu_path, "--help", deadline=deadline)
    names = feature_names((said.stdout + said.stderr).decode("utf-8", "replace"))
    done = guest.run("/bin/sh", "-c", _CHECK, "check", image.criu_path, *names, deadline=deadline)
    lines, code, features = read_check(done.stdout.decode("utf-8", "replace"))
    return CriuFindings(image.criu_version, code, lines, features)


def feature_names(help_text: str) -> tuple[str, ...]:
    """The features that a CRIU knows, by its own `--help`."""
    found = _FEATURES.search(help_text)
    return tuple(name for name in re.split(r"[,\s]+", found["names"]) if name) if found else ()


def read_check(output: str) -> tuple[tuple[str, ...], int, dict[str, bool]]:
    """The lines and the exit code of `criu check --all`, then what came of each feature."""
    head, _, tail = output.rpartition("\n=> ") if "\n=> " in output else ("", "", output.removeprefix("=> "))
    code, *rest = tail.splitlines() or ["-1"]
    features = {name: status == "0" for name, _, status in (line.rpartition(" ") for line in rest)}
    return tuple(line for line in head.splitlines() if line), int(code), features
