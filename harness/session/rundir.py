"""A run's folder: its name, `run.json`, `reports/latest`."""

from __future__ import annotations

import json
import os
import platform
import re
import secrets
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

import harness
from harness.errors import ConfigError, HostError
from harness.kernels.kconfig import telling
from harness.matrix.lab import Lab
from harness.session.selection import Selection
from harness.suites import zdtm

SCHEMA = 1
FILE = "run.json"
_OWN_NAME = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
"""A folder that `new_directory` named."""


def now() -> str:
    """This moment as ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def new_directory(reports: Path) -> Path:
    """A folder for a new run; its name sorts by time."""
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    return make_directory(reports / name)


def identity(directory: Path) -> str:
    """A run's id: what its `run.json` says, else a new one.

    A folder that the user named may have the name of another run's; two runs with one id would share checkpoints.
    """
    if (record := read(directory)) is not None:
        return str(record["id"])
    return (
        directory.name if _OWN_NAME.fullmatch(directory.name) else f"{directory.name}-{secrets.token_hex(4)}"
    )


def make_directory(directory: Path) -> Path:
    """Make a run's folder. Raises `HostError` if that cannot be."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HostError(f"cannot make the run's folder {directory}: {error.strerror}") from error
    return directory


def last_unfinished(reports: Path) -> Path:
    """The newest run that was not finished. Raises `ConfigError` if there is none."""
    for directory in sorted(reports.glob("*/"), reverse=True):
        if not directory.is_symlink() and (record := read(directory)) and record["finished"] is None:
            return directory
    raise ConfigError(f"no unfinished run in {reports}: there is nothing to resume")


def to_resume(run_dir: Path | None, reports: Path) -> Path:
    """The run to go on with: `run_dir`, or the newest unfinished one. Raises `ConfigError` if there is none."""
    found = run_dir or last_unfinished(reports)
    if read(found) is None:
        raise ConfigError(f"{found} holds no run to resume")
    return found


def check_same_kernels(record: dict[str, Any], lab: Lab) -> None:
    """Raise `ConfigError` if a label stands for another kernel now than when the run began."""
    for kernel in record["plan"]["kernels"]:
        now_there = lab.kernels.get(kernel["label"])
        if now_there is not None and now_there.sha256 != kernel["sha256"]:
            raise ConfigError(
                f"{kernel['label']} was {kernel['release']} when the run began and is {now_there.release} now: "
                "their cells do not belong into one matrix",
                hint="begin a new run",
            )


def check_same_workloads(record: dict[str, Any], lab: Lab) -> None:
    """Raise `ConfigError` if a scenario is another one now than when the run began; what was not recorded passes."""
    recorded = record["plan"].get("workloads", {})
    for name, subject in lab.scenarios.items():
        if recorded.get(name, subject.sha256) != subject.sha256:
            raise ConfigError(
                f"scenario {name} is no longer what it was when the run began: "
                "its cells do not belong into one matrix",
                hint="begin a new run",
            )


def read(directory: Path) -> dict[str, Any] | None:
    """`run.json` of a run, or None if there is none."""
    try:
        record: dict[str, Any] = json.loads((directory / FILE).read_text())
    except (OSError, ValueError):
        return None
    return record


def describe(lab: Lab, selection: Selection, *, slots: int, cells: int, started: str) -> dict[str, Any]:
    """What `run.json` says."""
    return {
        "schema": SCHEMA,
        "id": lab.run_id,
        "started": started,
        "finished": None,
        "argv": sys.argv,
        "host": {
            "release": platform.release(),
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "memory": psutil.virtual_memory().total,
        },
        "versions": {
            "kmatrix": harness.__version__,
            "python": platform.python_version(),
            **lab.hypervisor.versions,
        },
        "accelerator": lab.hardware.accelerator,
        "cpu": lab.hardware.cpu,
        "plan": {
            "userlands": list(selection.userlands),
            "kernels": [_kernel(lab, label) for label in selection.kernels],
            "scenarios": list(selection.scenarios),
            "workloads": {name: subject.sha256 for name, subject in lab.scenarios.items()},
            "tags": {name: list(subject.scenario.tags) for name, subject in lab.scenarios.items()},
            "suite": None if selection.suite is None else zdtm.NAME,
            "modes": list(selection.modes),
            "isolation": str(lab.isolation),
            "confirm": str(lab.confirm),
            "slots": slots,
            "cells": cells,
            "guest": {
                "memory": lab.hardware.memory,
                "vcpus": lab.hardware.vcpus,
                "kernel_arguments": " ".join(lab.hardware.kernel_arguments),
            },
        },
        "userlands": {
            name: {"criu": image.criu_version, "sha256": image.sha256, "packages": image.packages}
            for name, image in lab.images.items()
        },
    }


def _kernel(lab: Lab, label: str) -> dict[str, Any]:
    kernel, options = lab.kernels[label], lab.options.get(label)
    return {
        "label": label,
        "release": kernel.release,
        "version": kernel.version,
        "sha256": kernel.sha256,
        "provenance": asdict(kernel.provenance),
        **({} if options is None else {"options": telling(options)}),
    }


def write(directory: Path, record: dict[str, Any]) -> None:
    """Write `run.json`, whole or not at all."""
    temporary = directory / f".{FILE}.{os.getpid()}"
    temporary.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    temporary.rename(directory / FILE)


def point_latest(directory: Path) -> None:
    """Let `latest` beside the run's folder lead to it."""
    temporary = directory.parent / f".latest.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(directory.name)
    temporary.rename(directory.parent / "latest")
