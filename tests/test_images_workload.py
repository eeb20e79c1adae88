"""Workloads: built once for the same source, with the compiler's own words when it refuses."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.cache import Cache
from harness.errors import ImageError
from harness.images import Image, compile_workload
from harness.images.workload import gcc_argv, local_headers


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """An image whose sysroot is this host's own root."""
    root = tmp_path / "roots" / "key"
    root.mkdir(parents=True)
    (root / "sysroot").symlink_to("/")
    return Image(
        userland="trixie",
        suite="trixie",
        disk=root / "disk.ext4",
        sysroot=root / "sysroot",
        criu_version="4.1.1",
        criu_path="/usr/sbin/criu",
        packages={},
        sha256="0" * 64,
    )


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


MAIN = '#include "shared.h"\nint main(void) { return VALUE; }\n'


def test_a_program_is_built_and_built_once(image: Image, tmp_path: Path) -> None:
    write(tmp_path / "shared.h", "#define VALUE 7\n")
    source = write(tmp_path / "seven.c", MAIN)
    cache = Cache(tmp_path / "cache")
    program = compile_workload(image, (source,), ("-lpthread",), cache)["seven"]
    assert subprocess.run([program], check=False).returncode == 7
    built = program.stat().st_mtime_ns
    assert compile_workload(image, (source,), ("-lpthread",), cache)["seven"].stat().st_mtime_ns == built


def test_a_changed_header_is_noticed(image: Image, tmp_path: Path) -> None:
    header = write(tmp_path / "shared.h", "#define VALUE 7\n")
    source = write(tmp_path / "seven.c", MAIN)
    cache = Cache(tmp_path / "cache")
    before = compile_workload(image, (source,), (), cache)["seven"]
    write(header, "#define VALUE 8\n")
    after = compile_workload(image, (source,), (), cache)["seven"]
    assert before != after
    assert subprocess.run([after], check=False).returncode == 8


def test_the_compilers_words_are_in_the_error(image: Image, tmp_path: Path) -> None:
    source = write(tmp_path / "bad.c", "int main(void) { int unused; return 0; }\n")
    with pytest.raises(
        ImageError, match=r"bad\.c does not compile for userland trixie:(.|\n)*unused variable"
    ):
        compile_workload(image, (source,), (), Cache(tmp_path / "cache"))
    assert not list((tmp_path / "cache" / "workloads").glob("*"))


def test_a_missing_source_is_named(image: Image, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"nowhere\.c"):
        compile_workload(image, (tmp_path / "nowhere.c",), (), Cache(tmp_path / "cache"))


def test_headers_are_followed_once(tmp_path: Path) -> None:
    write(tmp_path / "a.h", '#include "b.h"\n')
    write(tmp_path / "b.h", '  # include "a.h"\n#include "nowhere.h"\n#include <stdio.h>\n')
    source = write(tmp_path / "x.c", '#include "a.h"\n')
    assert [path.name for path in local_headers(source)] == ["x.c", "a.h", "b.h"]


def test_never_static(tmp_path: Path) -> None:
    argv = gcc_argv(tmp_path, tmp_path / "x.c", tmp_path / "x", ["-lm"])
    assert "-static" not in argv
    assert argv[-2:] == [str(tmp_path / "x.c"), "-lm"]
    assert f"--sysroot={tmp_path}" in argv
