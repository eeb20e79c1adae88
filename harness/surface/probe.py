"""One kernel's surface, asked for in a guest: the probe is put there and run, then its CRIU is asked."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from harness.cache import Cache, key_of, sha256_of
from harness.deadline import Deadline
from harness.errors import GuestCommandFailed
from harness.guests.guest import Guest, Hardware
from harness.images import Image, compile_workload
from harness.kernels import Kernel
from harness.migration.criu import Criu
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
_CHECK = ("check", "--all")
EACH = Path(__file__).parent / "preload" / "each.c"
"""Has one CRIU answer for every feature."""
_EACH_PATH = "/run/kmatrix/each"


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
            check=_CHECK,
            each=sha256_of(EACH),
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


def probed(subject: Subject, cache: Cache, guest: Guest, criu: Criu) -> Record:
    """The record of a subject, out of the cache or of a booted guest with that CRIU. Raises every `GuestError`.

    The probe leaves traces, such as modules loaded on demand: the guest is to be reset or ended afterwards.
    """

    def make(directory: Path) -> None:
        each = compile_workload(subject.image, (EACH,), ("-shared", "-fPIC"), cache)[EACH.stem]
        record = ask(subject, guest, criu, program.build(cache), each)
        (directory / _FILE).write_text(text_of(record), "utf-8")

    path = cache.entry(KIND, subject.key, make) / _FILE
    return undump(json.loads(path.read_text("utf-8"))).labelled(subject.label)


def ask(subject: Subject, guest: Guest, criu: Criu, binary: Path, each: Path) -> Record:
    """Probe a booted guest; `binary` is the probe, `each` is `EACH` compiled for the userland.

    Raises every `GuestError`, `GuestCommandFailed` if the probe does not run at all.
    """
    findings, seconds = _findings(guest, binary)
    told = _check(guest, criu, each)
    _LOG.debug("the surface of %s took %.2f s and its CRIU's check", subject.label, seconds)
    kernel = subject.kernel
    return Record(
        kernel=KernelName(subject.label, kernel.release, kernel.version, kernel.sha256),
        cpu=subject.hardware.cpu,
        accelerator=subject.hardware.accelerator,
        kernel_arguments=tuple(subject.hardware.kernel_arguments),
        probe=program.digest(),
        findings=findings,
        criu={subject.image.userland: told},
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


def _check(guest: Guest, criu: Criu, each: Path) -> CriuFindings:
    deadline = Deadline.after(_CHECK_SECONDS)
    done = guest.run(criu.path, *_CHECK, deadline=deadline)
    said = (done.stderr + done.stdout).decode("utf-8", "replace")
    lines = tuple(line for line in said.splitlines() if line)
    return CriuFindings(criu.version, done.returncode, lines, _features(guest, criu, each, deadline))


def _features(guest: Guest, criu: Criu, each: Path, deadline: Deadline) -> dict[str, bool]:
    """All in one call; one by one what that does not answer: into a CRIU that is static nothing can be preloaded."""
    if not criu.features:
        return {}
    guest.write(_EACH_PATH, each.read_bytes(), deadline)
    together = criu.check_feature(",".join(criu.features))
    done = guest.run("/usr/bin/env", f"LD_PRELOAD={_EACH_PATH}", *together, deadline=deadline)
    told = read_features(done.text)
    for name in criu.features:
        if name not in told:
            told[name] = guest.run(*criu.check_feature(name), deadline=deadline).returncode == 0
    return {name: told[name] for name in criu.features}


def read_features(output: str) -> dict[str, bool]:
    """What `preload/each.c` prints: a name and an exit code a line."""
    pairs = (line.rpartition(" ") for line in output.splitlines())
    return {name: code == "0" for name, _, code in pairs if name and code.isdecimal()}
