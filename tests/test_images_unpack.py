"""The guest's `unpack`: against GNU tar as the oracle, and against archives that it must refuse."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest
from trees import LONG, a_tree, told

from harness.images.agent import UNPACK_PATH, compile_program


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    binary = tmp_path_factory.mktemp("unpack") / "unpack"
    compile_program(UNPACK_PATH, binary)
    return binary


def lay_out(program: Path, archive: Path, target: Path) -> subprocess.CompletedProcess[str]:
    target.mkdir(exist_ok=True)
    return subprocess.run([program, archive, target], capture_output=True, text=True, check=False)


def archive_of(
    path: Path, *members: tarfile.TarInfo, data: bytes = b"", form: int = tarfile.GNU_FORMAT
) -> Path:
    with tarfile.open(path, "w", format=form) as tar:
        for member in members:
            member.size = len(data) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize("form", ["gnu", "ustar"])
def test_what_tar_packs_comes_out_as_tar_itself_lays_it_out(program: Path, tmp_path: Path, form: str) -> None:
    source, archive = tmp_path / "source", tmp_path / "x.tar"
    source.mkdir()
    a_tree(source)
    names = ["a", "linked"] if form == "ustar" else ["."]
    # ustar has no room for some of them
    without = [f"--exclude={LONG}", "--exclude=file-511"] if form == "ustar" else []
    packed = ["tar", f"--format={form}", "-cf", archive, "-b", "512", "-C", source, *without, *names]
    subprocess.run(packed, check=True)
    (tmp_path / "theirs").mkdir()
    subprocess.run(["tar", "-xpf", archive, "-C", tmp_path / "theirs"], check=True)
    done = lay_out(program, archive, tmp_path / "ours")
    assert (done.returncode, done.stderr) == (0, "")
    ours = told(tmp_path / "ours")
    assert len(ours) > 10
    assert ours == told(tmp_path / "theirs")


def test_what_lies_behind_the_end_is_not_read(program: Path, tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "x.tar", tarfile.TarInfo("work/bin/program"), data=b"x" * 700)
    with archive.open("ab") as file:
        file.write(b"rubbish of a longer archive before" * 100)
        file.truncate(1 << 40)
    done = lay_out(program, archive, tmp_path / "ours")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "ours/work/bin/program").read_bytes() == b"x" * 700


def test_what_is_there_already_gives_way_but_for_directories(program: Path, tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    (ours / "work").mkdir(parents=True)
    (ours / "work" / "kept").write_text("kept")
    (ours / "elsewhere").write_text("not to be written to")
    (ours / "work" / "file").symlink_to("../elsewhere")
    directory = tarfile.TarInfo("work")
    directory.type, directory.mode = tarfile.DIRTYPE, 0o751
    archive = archive_of(tmp_path / "x.tar", directory, tarfile.TarInfo("work/file"), data=b"new")
    assert lay_out(program, archive, ours).returncode == 0
    assert not (ours / "work" / "file").is_symlink()
    assert (ours / "work" / "file").read_text() == "new"
    assert (ours / "elsewhere").read_text() == "not to be written to"
    assert (ours / "work" / "kept").read_text() == "kept"
    assert stat.S_IMODE((ours / "work").stat().st_mode) == 0o751


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "a/..", ".."])
def test_a_name_that_leads_outside_is_refused(program: Path, tmp_path: Path, name: str) -> None:
    archive = archive_of(tmp_path / "x.tar", tarfile.TarInfo(name), data=b"x")
    done = lay_out(program, archive, tmp_path / "ours")
    assert done.returncode == 1
    assert "outside" in done.stderr
    assert not list((tmp_path / "ours").rglob("x"))


def test_a_pax_header_is_refused_and_not_passed_over(program: Path, tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "x.tar", tarfile.TarInfo(LONG), data=b"x", form=tarfile.PAX_FORMAT)
    done = lay_out(program, archive, tmp_path / "ours")
    assert done.returncode == 1
    assert "does not know" in done.stderr


@pytest.mark.parametrize("size", [512, 700, 512 + 1024, 2048])
def test_an_archive_that_was_cut_is_refused(program: Path, tmp_path: Path, size: int) -> None:
    whole = archive_of(tmp_path / "x.tar", tarfile.TarInfo("file"), data=b"x" * 1500)
    os.truncate(whole, size)
    done = lay_out(program, whole, tmp_path / "ours")
    assert done.returncode == 1
    assert "ends before the archive does" in done.stderr


def test_a_header_with_a_changed_byte_is_refused(program: Path, tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "x.tar", tarfile.TarInfo("file"), data=b"x")
    data = bytearray(archive.read_bytes())
    data[2] ^= 1
    archive.write_bytes(data)
    done = lay_out(program, archive, tmp_path / "ours")
    assert done.returncode == 1
    assert "checksum" in done.stderr


def test_an_input_that_is_not_there_is_said_to_be_missing(program: Path, tmp_path: Path) -> None:
    done = lay_out(program, tmp_path / "nothing", tmp_path / "ours")
    assert done.returncode == 1
    assert "No such file" in done.stderr
