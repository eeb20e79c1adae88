"""The guest's `pack`: read by GNU tar, by Python and by the guest's `unpack`."""

from __future__ import annotations

import os
import socket
import subprocess
import tarfile
from pathlib import Path

import pytest
from trees import a_tree, told

from harness.errors import HostError
from harness.images.agent import PACK_PATH, UNPACK_PATH, compile_program
from harness.migration.site import require_whole

RECORD = 512 * 512


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pack")
    for path in (PACK_PATH, UNPACK_PATH):
        compile_program(path, directory / Path(path).name)
    return directory


def pack(programs: Path, archive: Path, place: Path, *names: str) -> subprocess.CompletedProcess[str]:
    archive.touch()
    return subprocess.run(
        [programs / "pack", archive, place, *names], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("reader", ["tar", "unpack"])
def test_all_that_is_packed_comes_out_again(programs: Path, tmp_path: Path, reader: str) -> None:
    source, archive, target = tmp_path / "source", tmp_path / "x.tar", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    a_tree(source)
    done = pack(programs, archive, source, *sorted(path.name for path in source.iterdir()))
    assert (done.returncode, done.stderr) == (0, "")
    commands = {
        "tar": ["tar", "-xpf", archive, "-C", target],
        "unpack": [programs / "unpack", archive, target],
    }
    assert not subprocess.run(commands[reader], capture_output=True, check=True).stderr
    found = told(target)
    assert len(found) > 15
    assert found == told(source)


def test_python_reads_the_same_names_sizes_and_owners(programs: Path, tmp_path: Path) -> None:
    source, archive = tmp_path / "source", tmp_path / "x.tar"
    source.mkdir()
    a_tree(source)
    assert pack(programs, archive, source, ".").returncode == 0
    with tarfile.open(archive) as tar:
        members = {member.name: member for member in tar}
    for name, facts in told(source).items():
        member = members[f"./{name}"]
        assert (member.uid, member.gid, member.mtime) == (facts[1], facts[2], facts[3])
    assert members["./a/file-1000000"].size == 1_000_000


@pytest.mark.parametrize(
    "size", [0, RECORD - 4 * 512, RECORD - 3 * 512, RECORD - 512, RECORD, 3 * RECORD + 1]
)
def test_it_is_written_in_whole_records_with_an_end(programs: Path, tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(os.urandom(size))
    archive = tmp_path / "x.tar"
    assert pack(programs, archive, tmp_path, "file").returncode == 0
    assert archive.stat().st_size % RECORD == 0
    assert archive.stat().st_size - size < 2 * RECORD
    require_whole(archive)
    with tarfile.open(archive) as tar:
        member = tar.extractfile("file")
        assert member is not None
        assert member.read() == (tmp_path / "file").read_bytes()
    os.truncate(archive, archive.stat().st_size - 1)
    with pytest.raises(HostError, match="cut off"):
        require_whole(archive)


def test_a_socket_is_passed_over(programs: Path, tmp_path: Path) -> None:
    place, archive = tmp_path / "place", tmp_path / "x.tar"
    place.mkdir()
    (place / "file").write_text("x")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(place / "socket"))
        assert pack(programs, archive, tmp_path, "place").returncode == 0
    with tarfile.open(archive) as tar:
        assert tar.getnames() == ["place", "place/file"]


def test_names_around_the_hundred_bytes_of_a_header(programs: Path, tmp_path: Path) -> None:
    place, archive = tmp_path / "place", tmp_path / "x.tar"
    place.mkdir()
    names = ["n" * length for length in (92, 93, 94, 95, 96)]
    for name in names:
        (place / name).write_text(name)
        (place / f"to-{name[:90]}-{len(name)}").symlink_to("t" * (len(name) + 5))
    assert pack(programs, archive, tmp_path, "place").returncode == 0
    (tmp_path / "out").mkdir()
    subprocess.run([programs / "unpack", archive, tmp_path / "out"], check=True)
    assert told(tmp_path / "out" / "place") == told(place)


@pytest.mark.parametrize(("names", "words"), [(("nothing",), "nothing: No such file"), ((), "usage")])
def test_what_cannot_be_packed_is_said(
    programs: Path, tmp_path: Path, names: tuple[str, ...], words: str
) -> None:
    done = pack(programs, tmp_path / "x.tar", tmp_path, *names)
    assert done.returncode != 0
    assert words in done.stderr


def test_a_file_that_grows_while_it_is_read_is_an_error(programs: Path, tmp_path: Path) -> None:
    # the kernel says that it is empty, and gives bytes
    done = pack(programs, tmp_path / "x.tar", Path("/proc"), "version")
    assert done.returncode == 1
    assert "version: it became longer" in done.stderr
