"""Disks: the same files give the same bytes, with owners, modes, times and links as they should be."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tars import make_tar

from harness.cache import sha256_of
from harness.errors import ImageError
from harness.images.disk import Kind, Node, commands, make_disk, overlay, read_tar, size_for

EPOCH = 1_700_000_000


def tree(tmp_path: Path) -> list[Node]:
    source = tmp_path / "source"
    source.write_text("hello\n")
    return overlay(
        [
            Node("opt", Kind.DIRECTORY, 0o755),
            Node("opt/odd name", Kind.FILE, 0o4750, uid=3, gid=70000, mtime=1234, source=source, size=6),
            Node("opt/link", Kind.SYMLINK, target="odd name"),
            Node("opt/twin", Kind.HARDLINK, target="opt/odd name"),
            Node("tmp", Kind.DIRECTORY, 0o1777),
        ],
        [Node("usr/lib/deep/init", Kind.FILE, 0o755, source=source, size=6)],
    )


def ask(disk: Path, question: str) -> str:
    env = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    return subprocess.run(
        ["debugfs", "-R", question, disk], env=env, capture_output=True, text=True, check=True
    ).stdout


def test_a_disk_holds_what_it_was_told(tmp_path: Path) -> None:
    disk = tmp_path / "disk.ext4"
    make_disk(tree(tmp_path), disk, free=8 << 20, epoch=EPOCH)
    assert ask(disk, 'cat "/opt/twin"') == "hello\n"
    stat = ask(disk, 'stat "/opt/odd name"')
    assert "Mode:  04750" in stat
    assert "User:     3   Group: 70000" in stat
    assert "Links: 2" in stat
    assert "mtime: 0x000004d2" in stat
    assert f"ctime: {EPOCH:#010x}" in stat
    assert 'Fast link dest: "odd name"' in ask(disk, "stat /opt/link")
    assert "Mode:  01777" in ask(disk, "stat /tmp")
    assert "User:     0" in ask(disk, "stat /usr/lib/deep/init")
    assert not list(tmp_path.glob("*.debugfs"))


def test_two_disks_of_the_same_files_are_the_same(tmp_path: Path) -> None:
    digests = set()
    for name in ("one", "two"):
        directory = tmp_path / name
        directory.mkdir()
        make_disk(tree(directory), directory / "disk.ext4", free=8 << 20, epoch=EPOCH)
        digests.add(sha256_of(directory / "disk.ext4"))
    assert len(digests) == 1


def test_a_missing_source_is_noticed(tmp_path: Path) -> None:
    nodes = [Node("a", Kind.FILE, source=tmp_path / "nowhere", size=1)]
    with pytest.raises(ImageError, match="nowhere"):
        make_disk(nodes, tmp_path / "disk.ext4", free=1 << 20, epoch=EPOCH)


def test_what_is_added_replaces_and_brings_its_directories() -> None:
    nodes = overlay(
        [Node("etc", Kind.DIRECTORY, 0o700), Node("etc/a", Kind.FILE)],
        [Node("etc/a", Kind.SYMLINK, target="b"), Node("x/y/z", Kind.SYMLINK, target="w")],
    )
    assert [(node.path, node.kind) for node in nodes] == [
        ("etc", Kind.DIRECTORY),
        ("etc/a", Kind.SYMLINK),
        ("x", Kind.DIRECTORY),
        ("x/y", Kind.DIRECTORY),
        ("x/y/z", Kind.SYMLINK),
    ]
    assert nodes[0].mode == 0o700


def test_names_are_quoted_and_line_breaks_refused(tmp_path: Path) -> None:
    assert 'symlink "say ""hi""" "x"' in list(commands([Node('say "hi"', Kind.SYMLINK, target="x")], EPOCH))
    with pytest.raises(ImageError, match="line break"):
        list(commands([Node("a\nrm b", Kind.DIRECTORY)], EPOCH))


def test_a_tar_is_read_without_what_is_left_out(tmp_path: Path) -> None:
    tar = make_tar(tmp_path / "r.tar", {"etc/machine-id": "1", "etc/passwd": "root", "var/cache/a/b": "x"})
    nodes = list(read_tar(tar, tmp_path, without=("etc/machine-id", "var/cache/*")))
    assert [node.path for node in nodes] == ["etc/passwd"]
    assert nodes[0].source is not None
    assert nodes[0].source.read_text() == "root"


def test_the_size_leaves_room(tmp_path: Path) -> None:
    assert size_for([Node("a", Kind.FILE, size=10 << 20)], 100 << 20) >= 110 << 20
