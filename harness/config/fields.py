"""The kinds of value that `kernels.yaml` holds, each with what it says when it is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from harness.config.selection import is_glob

MEMORY_MINIMUM = 64 << 20
MEMORY_MAXIMUM = 1 << 40
SECONDS_MAXIMUM = 24 * 3600


class Exists(StrEnum):
    """What a path must lead to."""

    FILE = "file"
    DIRECTORY = "directory"


def wrong(what: str, expected: str) -> PydanticCustomError:
    """The error of a value that is there but will not do."""
    return PydanticCustomError("wrong", "{text}", {"text": f"{what}; expected {expected}"})


def _matching(pattern: str, expected: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise wrong(f"{text!r} will not do", expected)
        return text

    return check


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _nothing_is_empty(value: object) -> object:
    return {} if value is None else value


def _size_text(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int) or len(str(value)) > 20:
        raise wrong(f"{value!r} is not a size", "a size such as 512MiB")
    return value


def _memory_range(size: ByteSize) -> ByteSize:
    if not MEMORY_MINIMUM <= size <= MEMORY_MAXIMUM:
        raise wrong(f"{size.human_readable()} is not a guest's memory", "a size from 64MiB to 1TiB")
    return size


def _timestamp(text: str) -> str:
    try:
        datetime.strptime(text, "%Y%m%dT%H%M%SZ")
    except ValueError:
        valid = False
    else:
        valid = len(text) == len("20131115T000000Z")
    if not valid:
        raise wrong(f"{text!r} is not a moment in time", "a timestamp in UTC such as 20131115T000000Z")
    return text


def _package_or_glob(text: str) -> str:
    plain = re.sub(r"[*?]|\[!?[a-z0-9.+-]+\]", "", text)
    if not text or not re.fullmatch(r"[a-z0-9.+~-]*", plain):
        raise wrong(
            f"{text!r} is no package name",
            "a Debian package such as linux-image-6.1.0-50-cloud-amd64, or a glob of it",
        )
    return text


def _pattern(text: str) -> str:
    if not text.strip() or re.search(r"[\s,]", text):
        raise wrong(f"{text!r} is no pattern", "one name or glob for each item of the list")
    return text


def _path_text(value: object) -> object:
    if isinstance(value, str) and not value.strip():
        raise wrong("is empty", "a path, relative to this file")
    return value


def _existing(kind: Exists) -> Callable[[Path, ValidationInfo], Path]:
    """A path below the directory of the file being read; without a file, paths are left as they are."""

    def check(path: Path, info: ValidationInfo) -> Path:
        base: Path | None = (info.context or {}).get("base")
        if base is None:
            return path
        try:
            full = base / path.expanduser()
            there = full.is_file() if kind is Exists.FILE else full.is_dir()
            exists = there or full.exists()
        except (RuntimeError, ValueError, OSError) as error:
            raise wrong(f"{str(path)!r} is no path: {error}", f"a {kind}") from None
        if not exists:
            raise wrong(f"{str(path)!r} does not exist", f"a {kind} at {full}")
        if not there:
            raise wrong(f"{str(path)!r} is not a {kind}", f"a {kind} at {full}")
        return full

    return check


def _pick_fits_package(pick: str | None, info: ValidationInfo) -> str | None:
    package = info.data.get("package")
    if package is None:
        return pick
    if is_glob(package) and pick is None:
        raise wrong(f"is missing, and {package!r} is a glob", "newest, oldest or all")
    if not is_glob(package) and pick is not None:
        raise wrong(
            f"{pick!r} has nothing to pick from: {package!r} is one package", "no pick, or a glob in package"
        )
    return pick


LABEL_EXPECTED = "letters, digits and . _ + - only, first a letter or digit, at most 64 of them"
Label = Annotated[str, AfterValidator(_matching(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}", LABEL_EXPECTED))]
"""A name that stands in cell names, file names and globs."""

Suite = Annotated[
    str,
    AfterValidator(_matching(r"[a-z0-9][a-z0-9._/+-]*", "a suite of the archive such as trixie-backports")),
]
Component = Annotated[str, AfterValidator(_matching(r"[a-z0-9][a-z0-9._/+-]*", "a component such as main"))]
Package = Annotated[str, AfterValidator(_matching(r"[a-z0-9][a-z0-9.+-]+", "a Debian package name"))]
Archive = Annotated[str, AfterValidator(_matching(r"debian|security", "'debian' or 'security'"))]
PackageOrGlob = Annotated[str, AfterValidator(_package_or_glob)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Timestamp = Annotated[str, AfterValidator(_timestamp)]
Word = Annotated[str, AfterValidator(_matching(r"\S+", "one word without blanks"))]
CpuModel = Annotated[
    str,
    AfterValidator(
        _matching(
            r"[A-Za-z0-9][A-Za-z0-9._-]*(,[+-][a-z0-9][a-z0-9._-]*)*",
            "a CPU model that QEMU knows, and features for or against: Nehalem or Nehalem,+avx2,-x2apic",
        )
    ),
]
Url = Annotated[
    str,
    AfterValidator(
        _matching(r"(https?|ftp)://[^\s/]+(/\S*)?|(file|copy):/\S+", "a URL such as http://host/path")
    ),
]
LibvirtUri = Annotated[
    str, AfterValidator(_matching(r"[a-z][a-z0-9+]*://\S*", "a libvirt URI such as qemu:///embed"))
]
Memory = Annotated[ByteSize, BeforeValidator(_size_text), AfterValidator(_memory_range)]
Seconds = Annotated[float, Field(strict=True, gt=0, le=SECONDS_MAXIMUM, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=1, le=256)]
PickFor = AfterValidator(_pick_fits_package)
"""Says that a choice is missing for a glob, or has nothing to choose from."""
ExistingFile = Annotated[Path, BeforeValidator(_path_text), AfterValidator(_existing(Exists.FILE))]
ExistingDirectory = Annotated[Path, BeforeValidator(_path_text), AfterValidator(_existing(Exists.DIRECTORY))]
OneOrMany = BeforeValidator(_one_or_many)
"""A single text stands for a list of one."""
MayBeEmpty = BeforeValidator(_nothing_is_empty)
"""A key with nothing after it stands for an empty mapping."""
