"""How CRIU's tests are fetched and what is made of a build; nothing is built here."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest

from harness.archive.apt import Apt
from harness.archive.source_package import SourceApt, SourcePackage, find
from harness.archive.sources import Source
from harness.cache import Cache, sha256_of
from harness.errors import ImageError, KernelUnavailable
from harness.suites.zdtm.build import _deps_of as deps_of
from harness.suites.zdtm.build import _gather as gather
from harness.suites.zdtm.build import _unpack as unpack

INDEX = """\
Package: criu
Binary: criu, libcriu2
Version: {version}
Checksums-Sha256:
 {dsc} 2519 criu_{upstream}-1.dsc
 {orig} {size} criu_{upstream}.orig.tar.xz
 {sig} 833 criu_{upstream}.orig.tar.xz.asc
 {debian} 13500 criu_{upstream}-1.debian.tar.xz

"""
DATA = b"the source as upstream released it"


def index(version: str, orig: str = "b" * 64) -> str:
    return INDEX.format(
        version=version,
        upstream=version.partition("-")[0],
        size=len(DATA),
        dsc="a" * 64,
        orig=orig,
        sig="c" * 64,
        debian="d" * 64,
    )


class Archive:
    """Answers in place of apt."""

    def __init__(self, texts: dict[str, str], data: bytes = DATA) -> None:
        self.texts = texts
        self.data = data
        self.calls: list[tuple[str, ...]] = []

    def __call__(self, apt: SourceApt, program: str, *arguments: str, cwd: Path | None = None) -> str:
        self.calls.append((program, *arguments))
        if program == "apt-get" and cwd is not None:
            (cwd / "criu_4.1.1.orig.tar.xz").write_bytes(self.data)
            return ""
        return self.texts[apt.source.suite]


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Archive:
    """trixie has 4.1.1, its security suite a newer one."""
    made = Archive({"trixie": index("4.1.1-1"), "trixie-security": index("4.1.1-1+deb13u1")})
    monkeypatch.setattr(SourceApt, "_apt", lambda self, *words, **more: made(self, *words, **more))
    monkeypatch.setattr(SourceApt, "update", lambda _self: None)
    return made


SUITES = (
    Source("trixie", "http://mirror.invalid/debian"),
    Source("trixie-security", "http://mirror.invalid/s"),
)


def test_a_source_is_found_in_the_suite_that_has_its_version(archive: Archive, tmp_path: Path) -> None:
    apt, package = find("criu", "4.1.1-1+deb13u1", SUITES, Cache(tmp_path))
    assert apt.source.suite == package.suite == "trixie-security"
    assert package.file == "criu_4.1.1.orig.tar.xz"
    assert package.sha256 == "b" * 64
    assert apt.source.line(apt.KIND).startswith("deb-src ")
    with pytest.raises(KernelUnavailable, match="no suite has the source of criu 3") as caught:
        find("criu", "3", SUITES, Cache(tmp_path))
    assert caught.value.hint == "there is 4.1.1-1, 4.1.1-1+deb13u1"
    assert archive.calls[0][:2] == ("apt-cache", "showsrc")


def test_only_the_released_tar_is_fetched_and_its_checksum_checked(archive: Archive, tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(DATA)
    good = SourcePackage("criu", "4.1.1-1", "trixie", "criu_4.1.1.orig.tar.xz", sha256_of(file), len(DATA))
    apt = SourceApt(SUITES[0], Cache(tmp_path / "cache"))
    assert apt.download_tar(good).read_bytes() == DATA
    assert apt.download_tar(good).read_bytes() == DATA
    fetched = [call for call in archive.calls if call[0] == "apt-get"]
    assert len(fetched) == 1, "the second time it is in the cache"
    assert "--tar-only" in fetched[0]
    bad = SourcePackage("criu", "4.1.1-1", "trixie", good.file, "0" * 64, len(DATA))
    with pytest.raises(KernelUnavailable, match="is not what the archive's index says"):
        apt.download_tar(bad)


def test_the_two_kinds_of_lists_are_kept_apart(tmp_path: Path) -> None:
    binary = Apt(SUITES[0], Cache(tmp_path))
    assert SourceApt(SUITES[0], Cache(tmp_path)).directory != binary.directory


def left(directory: Path, **changes: str) -> Path:
    """What the build script leaves."""
    static = directory / "static"
    static.mkdir()
    for name, text in {
        "pipe00": "\x7fELF",
        "shm+": "\x7fELF",
        "shm+.hook": "#!/bin/sh\n",
        "odd": "x",
    }.items():
        (static / name).write_text(text)
    (static / "shm+.desc").write_text(
        "{'deps': ['/bin/sh', '/sbin/ip|/bin/ip', '/bin/none'], 'flavor': 'ns'}"
    )
    texts = {
        "names": "pipe00 shm+ broken odd\n",
        "commands": "make -C ../lib\n./pipe00 --pidfile=pipe00.pid --outfile=pipe00.out\n"
        "./shm+ --pidfile=shm+.pid --outfile=shm+.out --size=5000\n",
        "libraries": "pipe00 /lib/libc.so.6\nshm+ /lib/libc.so.6 /lib/libaio.so.1\nodd\n",
        "owners": "/lib/libc.so.6 libc6\n/lib/libaio.so.1 libaio1t64\n/lib/stray.so\n",
        "deps": "/bin/sh /bin/sh /lib/libc.so.6\n/sbin/ip|/bin/ip /sbin/ip /lib/libmnl.so.0\n",
        **changes,
    }
    for name, text in texts.items():
        (directory / name).write_text(text)
    return directory


def test_what_a_build_leaves_becomes_tests(tmp_path: Path) -> None:
    record: dict[str, Any] = gather(left(tmp_path))
    assert list(record["tests"]) == ["pipe00", "shm+"]
    assert record["unbuilt"] == ["broken", "odd"]
    shm = record["tests"]["shm+"]
    assert shm["arguments"] == ("--pidfile=shm+.pid", "--outfile=shm+.out", "--size=5000")
    assert shm["hook"] == "#!/bin/sh\n"
    assert shm["files"] == ("/bin/sh", "/lib/libaio.so.1", "/lib/libc.so.6", "/lib/libmnl.so.0", "/sbin/ip")
    assert shm["packages"] == ("libaio1t64", "libc6")
    assert shm["missing"] == ("/bin/none",)
    assert record["tests"]["pipe00"]["hook"] is None
    assert record["tests"]["pipe00"]["files"] == ("/lib/libc.so.6",)


def test_a_hook_that_changes_makes_another_test(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = left(tmp_path / "a"), left(tmp_path / "b")
    (two / "static" / "shm+.hook").write_text("#!/bin/sh\nexit 1\n")
    before, after = gather(one)["tests"], gather(two)["tests"]
    assert before["shm+"]["sha256"] != after["shm+"]["sha256"]
    assert before["pipe00"]["sha256"] == after["pipe00"]["sha256"]


def test_a_build_that_made_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="none of CRIU's tests can be built"):
        gather(left(tmp_path, commands="make: Nothing to be done\n"))


def packed(path: Path, files: dict[str, str]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, text in files.items():
            file = path.parent / "member"
            file.write_text(text)
            tar.add(file, name)
    return path


def test_nothing_is_unpacked_outside(tmp_path: Path) -> None:
    tar = packed(tmp_path / "out.tar", {"./out/names": "a", "out/static/pipe00": "b", "out/../../evil": "c"})
    target = tmp_path / "target"
    target.mkdir()
    unpack(tar, target)
    found = sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())
    assert found == ["names", "static/pipe00"]
    assert not (tmp_path / "evil").exists()


def test_programs_that_tests_ask_for_are_read_from_the_source(tmp_path: Path) -> None:
    tar = packed(
        tmp_path / "source.tar",
        {
            "criu-4/test/zdtm/static/a.desc": "{'deps': ['/bin/sh']}",
            "criu-4/test/zdtm/static/b.desc": "{'deps': ['/sbin/ip|/bin/ip', '/bin/sh']}",
            "criu-4/test/zdtm/transition/c.desc": "{'deps': ['/bin/never']}",
        },
    )
    assert deps_of(tar) == ["/bin/sh", "/sbin/ip|/bin/ip"]
