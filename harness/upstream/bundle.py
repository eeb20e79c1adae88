"""`repro.tar.gz`: a script that shows the failure outside this lab, with sources, logs and configurations.

The same run gives the same bytes: members are sorted, owners and times are fixed.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shlex
import tarfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import harness
from harness.guests.domain import clock_arguments, processor
from harness.images.root import LAB_PACKAGES
from harness.matrix.cell import Reason
from harness.migration.criu import Criu
from harness.report.sanitize import slug
from harness.scenario import Scenario
from harness.upstream import compare, issue
from harness.upstream.evidence import KernelFacts
from harness.upstream.frontier import Axis
from harness.upstream.story import Story
from harness.upstream.text import render

FILE = "repro.tar.gz"
_HERE = Path(harness.__file__).parent
_HAND = _HERE / "images" / "guest" / "hand.c"
_WITNESS = _HERE / "witness.py"
_LOGS = 16 << 20
"""Bytes of one log that are taken, from its end."""
_MEMORY = 512
_LAB_ARGUMENTS = ("console=", "loglevel=", "printk.time=", "panic=")
"""What the lab's own guests are given for their console."""


def script_variable(story: Story) -> str | None:
    """The variable by which the script takes the kernel that matters; None if there can be no script."""
    if story.workload is None or story.workload.unscripted or story.evidence.cell.is_baseline:
        return None
    axis = story.frontier.axis
    return "SOURCE_IMAGE" if axis is Axis.SOURCE else "DESTINATION_IMAGE"


def build(story: Story) -> bytes:
    """The archive."""
    files = dict(_files(story))
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    files["SHA256SUMS"] = sums.encode()
    prefix = f"repro-{slug(story.evidence.cell.scenario)}"
    raw = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(f"{prefix}/{name}")
            member.size, member.mtime = len(data), _when(story)
            member.mode = 0o755 if name.endswith(".sh") else 0o644
            tar.addfile(member, io.BytesIO(data))
    return raw.getvalue()


def _files(story: Story) -> Iterator[tuple[str, bytes]]:
    script = script_variable(story)
    values = _values(story)
    yield "README.md", render("readme.md.j2", values).encode()
    yield "provenance.json", (json.dumps(_provenance(story), indent=1, sort_keys=True) + "\n").encode()
    for kernel in story.kernels:
        if kernel.config is not None:
            yield f"configs/config-{slug(kernel.identity.release)}", kernel.config.encode()
    yield from _logs(story)
    if story.workload is not None:
        for name, path in story.workload.files.items():
            yield f"workload/{name}", path.read_bytes()
    if script is None or story.workload is None:
        return
    yield "reproduce.sh", render("reproduce.sh.j2", values | _host(story)).encode()
    yield "guest.sh", render("guest.sh.j2", _guest(story, story.workload.scenario)).encode()
    yield "workload/hand.c", _HAND.read_bytes()
    yield "check/compare.py", Path(compare.__file__).read_bytes()
    yield "check/harness/__init__.py", b""
    yield "check/harness/witness.py", _WITNESS.read_bytes()
    case = {"moving": story.workload.scenario.moving, "own_check": story.workload.own_check}
    yield "case.json", (json.dumps(case, sort_keys=True) + "\n").encode()


def _values(story: Story) -> dict[str, object]:
    unscripted = (
        story.workload.unscripted if story.workload else "this checkout has no source of the workload"
    )
    return {
        "title": issue.title(story),
        "cell": story.evidence.cell,
        "script": script_variable(story),
        "unscripted": unscripted or "a control without CRIU has nothing to move",
        "source": story.evidence.source,
        "destination": story.evidence.destination,
        "dump_only": story.evidence.on_the_source,
    }


def _host(story: Story) -> dict[str, object]:
    assert story.workload is not None, "a script without a workload"
    evidence, source = story.evidence, story.workload
    kernel = next((k for k in story.kernels if k.command_line), None)
    words = (kernel.command_line or "").split() if kernel else clock_arguments(evidence.attempt.accelerator)
    return {
        "arguments": " ".join(word for word in words if not word.startswith(_LAB_ARGUMENTS)),
        "cpu": processor(evidence.attempt.cpu or "Haswell-noTSX", evidence.attempt.accelerator),
        "memory": next((k.memory for k in story.kernels if k.memory), None) or _MEMORY,
        "programs": " ".join(source.programs),
        "companions": " ".join(source.companions),
        "flags": " ".join(source.flags),
        "libraries": " ".join(source.scenario.libraries),
        "root_packages": ",".join(sorted({*LAB_PACKAGES, *source.scenario.needs.packages})),
        "suite": evidence.cell.userland,
        "crash": evidence.attempt.reason is Reason.KERNEL,
        "listed": _listed,
    }


def _guest(story: Story, scenario: Scenario) -> dict[str, object]:
    commands = story.raw_commands
    criu = Criu(
        next((commands[n][0] for n in ("dump", "restore") if commands.get(n)), "criu"), "", frozenset()
    )
    dump = commands.get("dump") or criu.dump(0, (*scenario.criu, *scenario.dump))
    restore = commands.get("restore") or criu.restore((*scenario.criu, *scenario.restore))
    return {
        "criu": criu.path,
        "command": commands.get("workload") or scenario.command,
        "network": "own" if scenario.own_network else "shared",
        "sysctls": scenario.sysctls,
        "pidfile": scenario.pidfile,
        "dump": with_pid(dump),
        "restore": shlex.join(restore),
    }


def with_pid(argv: tuple[str, ...]) -> str:
    """A dump's command line for a shell that knows the tree's pid as `$pid`."""
    words = [shlex.quote(word) for word in argv]
    place = words.index("-t") + 1 if "-t" in words else len(words)
    return " ".join([*words[:place], '"$pid"', *words[place + 1 :]])


def _listed(kernel: KernelFacts) -> str:
    """One package a line, for the script to read; no word of it can end the list."""
    version = kernel.identity.version or "-"
    lines = [(name, version, sha256, kernel.origin or "unknown") for name, sha256 in kernel.packages]
    if not lines:
        lines = [("kernel", "-", kernel.identity.sha256, kernel.origin or "unknown")]
    return "\n".join(" ".join("-".join(word.split()) for word in line) for line in lines)


def _logs(story: Story) -> Iterator[tuple[str, bytes]]:
    evidence = story.evidence
    # The lab's traceback names this machine's paths, and what it says is in the drafts.
    paths = {f"{name}.log": path for name, path in evidence.attempt.logs.items() if name != "traceback"}
    for name in ("dmesg", "commands", "console", "workload"):
        beside = evidence.beside_dump(f"{name}.log")
        if beside is not None and beside not in paths.values():
            paths[f"{name}-of-the-dump.log"] = beside
    for name, relative in sorted(paths.items()):
        path = evidence.run.log(relative)
        if path is None:
            continue
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOGS))
            yield f"logs/{slug(name)}", file.read()


def _provenance(story: Story) -> dict[str, object]:
    evidence, facts = story.evidence, story.evidence.run.facts
    userlands = facts.get("userlands")
    return {
        "cell": str(evidence.cell),
        "run": evidence.run.name,
        "started": evidence.attempt.started,
        "criu": evidence.attempt.criu,
        "accelerator": evidence.attempt.accelerator,
        "cpu": evidence.attempt.cpu,
        "versions": facts.get("versions"),
        "userland": userlands.get(evidence.cell.userland) if isinstance(userlands, dict) else None,
        "commands": {name: list(argv) for name, argv in evidence.commands.items()},
        "kernels": [
            {
                "label": kernel.label,
                "release": kernel.identity.release,
                "version": kernel.identity.version,
                "sha256": kernel.identity.sha256,
                "provenance": dict(kernel.provenance),
                "tainted": str(kernel.taint),
            }
            for kernel in story.kernels
        ],
    }


def _when(story: Story) -> int:
    """When the cell ran; the epoch if the ledger does not say."""
    try:
        return max(0, int(datetime.fromisoformat(story.evidence.attempt.started).timestamp()))
    except ValueError:
        return 0
