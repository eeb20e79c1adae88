"""CRIU builds of all ages are found, and what is no CRIU for the image is refused by name."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.errors import ImageError
from harness.images import criu

FAKE = """
#include <stdio.h>
int answer(void);
int main(void) { printf("Version: 1.3.1\\nGitID: v1.3.1-7-gabc\\n"); return answer() - 42; }
"""
LIBRARY = "int answer(void); int answer(void) { return 42; }"


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `criu`, which needs `libanswer.so.0` beside it."""
    directory = tmp_path_factory.mktemp("fake")
    (directory / "criu.c").write_text(FAKE)
    (directory / "answer.c").write_text(LIBRARY)
    library = directory / "libanswer.so.0"
    soname = "-Wl,-soname,libanswer.so.0"
    subprocess.run(["gcc", "-shared", "-fPIC", soname, "-o", library, directory / "answer.c"], check=True)
    subprocess.run(["gcc", "-o", directory / "criu", directory / "criu.c", library], check=True)
    return directory


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sysroot with this host's own loader and libc."""
    directory = tmp_path_factory.mktemp("sysroot")
    libraries = directory / "usr/lib/x86_64-linux-gnu"
    libraries.mkdir(parents=True)
    (directory / "usr/lib64").mkdir()
    (directory / "lib64").symlink_to("usr/lib64")
    shutil.copy("/lib64/ld-linux-x86-64.so.2", directory / "usr/lib64")
    shutil.copy("/lib/x86_64-linux-gnu/libc.so.6", libraries)
    return directory


def put(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(source, target))


@pytest.mark.parametrize("where", ["sbin/criu", "usr/sbin/criu", "usr/local/sbin/criu", "criu/criu", "criu"])
def test_every_layout_is_found(fake: Path, tmp_path: Path, where: str) -> None:
    binary = put(fake / "criu", tmp_path / where)
    build = criu.find(tmp_path)
    assert build.binary == binary
    assert build.guest_path == "/opt/criu/sbin/criu"


def test_a_prefix_brings_libraries_and_plugins(fake: Path, root: Path, tmp_path: Path) -> None:
    put(fake / "criu", tmp_path / "usr/sbin/criu")
    put(fake / "libanswer.so.0", tmp_path / "usr/lib/libanswer.so.0")
    put(fake / "libanswer.so.0", tmp_path / "usr/lib/unrelated.so")
    put(fake / "libanswer.so.0", tmp_path / "usr/lib/criu/amdgpu_plugin.so")
    build = criu.find(tmp_path)
    assert [node.path for node in criu.nodes(build, root)] == [
        "opt/criu/sbin/criu",
        "usr/lib/x86_64-linux-gnu/libanswer.so.0",
        "opt/criu/lib/criu/amdgpu_plugin.so",
    ]
    assert criu.version(build, root) == "1.3.1 (v1.3.1-7-gabc)"


def test_a_missing_library_is_named(fake: Path, root: Path, tmp_path: Path) -> None:
    put(fake / "criu", tmp_path / "sbin/criu")
    with pytest.raises(ImageError, match=r"needs libanswer\.so\.0, which neither the image nor"):
        criu.nodes(criu.find(tmp_path), root)


def test_missing_versions_of_glibc_are_named() -> None:
    trace = "criu: libc.so.6: version `GLIBC_2.38' not found (required by criu)\n\tlibnet.so.9 => not found\n"
    assert criu.missing(trace * 2) == ["libnet.so.9", "GLIBC_2.38"]


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="there is no CRIU in") as caught:
        criu.find(tmp_path)
    assert "criu/criu" in str(caught.value)
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"#!/bin/sh\n", "is no ELF program"),
        (b"", "is no ELF program"),
        (b"\x7fELF\x02\x01\x01" + bytes(11) + b"\xb7\x00", "no program for x86-64: ELF machine 183"),
    ],
)
def test_what_is_no_program_for_the_guest(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "criu").write_bytes(content)
    with pytest.raises(ImageError, match=complaint):
        criu.find(tmp_path)


def test_the_distributions_own_adds_nothing(root: Path) -> None:
    build = criu.packaged(root)
    assert criu.nodes(build, root) == []
    assert build.guest_path == "/usr/sbin/criu"
