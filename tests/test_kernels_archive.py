"""The private apt: mirrors, signatures, checksums, no network, no space."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_archive import FakeArchive, Signer, signer

from harness.archive import Apt, Mirrors, Source, source_lines, sources
from harness.archive.apt import explain
from harness.archive.mirrors import from_targets, from_update, host_options
from harness.archive.tool import ToolFailed, run, surviving_full_disk
from harness.cache import Cache, sha256_of
from harness.errors import ConfigError, HostError, KernelUnavailable

MIRRORS = Mirrors("http://mirror.example/debian", "http://mirror.example/debian-security")


@pytest.fixture(scope="module")
def key() -> Iterator[Signer]:
    with signer() as one:
        yield one


@pytest.fixture
def archive(tmp_path: Path, key: Signer) -> FakeArchive:
    made = FakeArchive(tmp_path / "mirror", key)
    for version in ("2.0", "1:0.5", "10.0", "2.0~rc1"):
        made.add("tool", version, {"usr/share/tool": version.encode()})
    made.add("toolbox", "1.0", depends="tool (>= 1), other | another")
    made.publish()
    return made


@pytest.fixture
def source(archive: FakeArchive, key: Signer) -> Source:
    return Source("trixie", archive.uri, keyrings=(key.keyring,))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def test_mirrors_come_from_targets_by_origin() -> None:
    lines = [
        "Docker|Docker CE|bookworm|http://other.example/debian/",
        "Debian|Debian Backports|bookworm-backports|http://backports.example/debian/",
        "Debian|Debian|bookworm|http://mirror.example/debian/",
        "Debian|Debian-Security|bookworm-security|http://mirror.example/debian-security/",
    ]
    assert from_targets(lines) == MIRRORS
    assert from_targets([]) is None


def test_mirrors_come_from_uris_when_no_list_was_ever_fetched() -> None:
    lines = [
        "'http://other.example/linux/debian/dists/bookworm/InRelease' other 0 ",
        "'http://mirror.example/debian/dists/bookworm/InRelease' a 0 ",
        "'http://mirror.example/debian/dists/bookworm-updates/InRelease' b 0 ",
        "'http://mirror.example/debian-security/dists/bookworm-security/InRelease' c 0 ",
    ]
    assert from_update(lines) == MIRRORS
    assert from_update(["'http://ubuntu.example/ubuntu/dists/noble-updates/InRelease' a 0 "]) is None


def test_of_the_hosts_apt_only_proxies_and_clock_checks_are_taken_over() -> None:
    dump = (
        'Acquire "";\nAcquire::http::Proxy "http://proxy.example:3142";\nAcquire::Check-Valid-Until "false";\n'
        'APT::Update::Post-Invoke:: "touch /tmp/hook";\nAcquire::Languages "de";\n'
    )
    assert host_options(dump) == {
        "Acquire::http::Proxy": "http://proxy.example:3142",
        "Acquire::Check-Valid-Until": "false",
    }


def test_source_lines_name_archive_keys_and_dates() -> None:
    lines = source_lines(["forky", "forky-security"], MIRRORS, check_valid_until=False)
    assert [line.split("] ")[1] for line in lines] == [
        "http://mirror.example/debian forky main",
        "http://mirror.example/debian-security forky-security main",
    ]
    assert all(line.startswith("deb [signed-by=/") and "check-valid-until=no]" in line for line in lines)
    assert "check-valid-until" not in source_lines(["trixie"], MIRRORS)[0]


def test_snapshots_have_their_own_paths_and_never_expire() -> None:
    (entry,) = sources(
        ["sid"], MIRRORS, snapshot="20131115T000000Z", snapshot_mirror="http://snapshot.example/"
    )
    assert entry.uri == "http://snapshot.example/archive/debian/20131115T000000Z"
    assert not entry.check_valid_until
    with pytest.raises(ConfigError, match="needs a snapshot mirror"):
        sources(["sid"], MIRRORS, snapshot="20131115T000000Z")


def test_versions_are_listed_in_debians_order(source: Source, cache: Cache) -> None:
    packages = Apt(source, cache).packages("tool")
    assert [package.version for package in packages] == ["2.0~rc1", "2.0", "10.0", "1:0.5"]
    (box,) = Apt(source, cache).packages("toolb*")
    assert box.depends == ("tool", "other")
    assert Apt(source, cache).packages("hammer*") == []


def test_a_package_is_fetched_once_and_its_checksum_verified_each_time(
    source: Source, cache: Cache, archive: FakeArchive
) -> None:
    apt = Apt(source, cache)
    package = apt.packages("tool")[-1]
    file = apt.download(package)
    assert sha256_of(file) == package.sha256
    assert file.name == "tool_1%3a0.5_amd64.deb"
    file.write_bytes(b"rotten")
    assert sha256_of(apt.download(package)) == package.sha256
    for pooled in (archive.root / "pool").glob("*.deb"):
        pooled.unlink()
    assert apt.download(package) == file


def test_a_package_that_is_not_what_the_index_says_is_refused(
    source: Source, cache: Cache, archive: FakeArchive
) -> None:
    apt = Apt(source, cache, patience=0)
    package = apt.packages("toolbox")[0]
    with pytest.raises(KernelUnavailable, match=f"wrong checksum.*{'0' * 64}"):
        apt.download(replace(package, sha256="0" * 64))
    pooled = archive.root / "pool" / "toolbox_1.0_amd64.deb"
    pooled.write_bytes(bytes(len(pooled.read_bytes())))
    with pytest.raises(KernelUnavailable, match="wrong checksum from trixie"):
        apt.download(package)
    assert not list((cache.root / "debs").glob(f"*{package.sha256}*"))


def test_a_stranger_cannot_sign_the_archive(source: Source, cache: Cache, archive: FakeArchive) -> None:
    with signer() as stranger:
        FakeArchive(archive.root, stranger).publish()
        with pytest.raises(KernelUnavailable, match=r"signature of trixie .* is not one of Debian's"):
            Apt(source, cache).update()


def test_an_expired_release_is_refused_unless_allowed(
    source: Source, cache: Cache, archive: FakeArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.archive.apt.read_host_options", dict)
    archive.publish(valid_days=-3)
    with pytest.raises(KernelUnavailable, match="has expired") as caught:
        Apt(source, cache).update()
    assert "check_valid_until: false" in str(caught.value.hint)
    assert Apt(replace(source, check_valid_until=False), cache).packages("toolbox")


def test_an_expired_key_is_not_called_a_strangers(source: Source) -> None:
    error = explain("W: GPG error: x InRelease: signatures were invalid: EXPKEYSIG 8B48AD6246925553", source)
    assert str(error).startswith(f"the key that signed trixie at {source.uri} has expired since")


def test_a_suite_that_does_not_exist_is_named(source: Source, cache: Cache) -> None:
    with pytest.raises(KernelUnavailable, match="there is no suite sarge at file:"):
        Apt(replace(source, suite="sarge"), cache).update()


def test_without_a_network_one_line_says_so(
    source: Source, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.archive.apt.read_host_options", dict)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    unreachable = replace(source, uri="http://127.0.0.1:9/debian")
    with pytest.raises(KernelUnavailable, match="the archive cannot be reached") as caught:
        Apt(unreachable, cache, patience=0).update()
    assert "\n" not in str(caught.value)
    assert "mirrors" in str(caught.value.hint)


def test_old_lists_do_when_the_archive_is_away(
    source: Source, cache: Cache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    apt = Apt(source, cache, patience=0)
    apt.update()
    week_ago = time.time() - 7 * 86400
    os.utime(apt.directory / "updated", (week_ago, week_ago))

    def away() -> None:
        raise explain("E: Could not resolve 'mirror.example'", source)

    monkeypatch.setattr(apt, "_fetch_lists", away)
    assert len(apt.packages("tool")) == 4
    assert "using the lists fetched before" in caplog.text


def test_lists_are_fetched_once_a_day(source: Source, cache: Cache, archive: FakeArchive) -> None:
    Apt(source, cache).update()
    archive.add("toolkit", "1.0")
    archive.publish()
    assert Apt(source, cache).packages("toolkit") == []
    apt = Apt(source, cache)
    apt.update(force=True)
    assert len(apt.packages("toolkit")) == 1


def test_the_hosts_hooks_do_not_run(source: Source, cache: Cache) -> None:
    Apt(source, cache).update()
    apt_conf = Apt(source, cache).config
    shown = run(["apt-config", "dump"], environment={"APT_CONFIG": str(apt_conf)})
    assert "Invoke" not in shown
    assert f'Dir::State::lists "{apt_conf.parent}/lists";' in shown


def test_too_little_space_is_seen_before_fetching(
    source: Source, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    apt = Apt(source, cache)
    package = apt.packages("toolbox")[0]
    monkeypatch.setattr("harness.cache.shutil.disk_usage", lambda path: SimpleNamespace(free=0))
    with pytest.raises(HostError, match=r"toolbox 1\.0 needs .* MiB free"):
        apt.download(package)
    assert not list((cache.root / "debs").glob("*"))


def test_a_disk_that_fills_up_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="no space left on the disk"), surviving_full_disk(tmp_path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(HostError, match="no space left on the disk"):
        run(["dd", "if=/dev/zero", "of=/dev/full", "bs=1", "count=1"])


def test_a_missing_or_failing_program_is_one_clear_error() -> None:
    with pytest.raises(HostError, match="no-such-program is not installed"):
        run(["no-such-program"])
    with pytest.raises(ToolFailed, match=r"ls: .*No such file"):
        run(["ls", "/no/such/file"])
