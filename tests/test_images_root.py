"""Roots: what mmdebstrap is told, and what its failures mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from tars import make_tar

from harness.config import Userland
from harness.images import sysroot
from harness.images.root import explain, installed_packages, mmdebstrap_argv, packages_of

LOG = Path("mmdebstrap.log")
STATUS = """\
Package: criu
Status: install ok installed
Version: 4.1.1-1

Package: gone
Status: deinstall ok config-files
Version: 1
"""


def test_lab_packages_come_along_once_and_in_order() -> None:
    packages = packages_of(Userland(suite="trixie", packages=("redis-server", "criu")))
    assert list(packages) == sorted(set(packages))
    assert {"criu", "iptables", "libc6-dev", "redis-server"} <= set(packages)


@pytest.mark.parametrize(("unshare", "mode"), [(True, "--mode=unshare"), (False, "--mode=root")])
def test_mmdebstrap_mode(unshare: bool, mode: str) -> None:
    argv = mmdebstrap_argv(["criu"], ["deb u s main"], Path("r.tar"), unshare=unshare)
    assert mode in argv
    assert argv[-3:] == ["", "r.tar", "deb u s main"]
    assert "--include=criu" in argv


def test_the_hosts_proxy_reaches_mmdebstrap() -> None:
    options = {"Acquire::http::Proxy": "http://proxy:3128"}
    argv = mmdebstrap_argv(["criu"], ["deb"], Path("r.tar"), unshare=False, apt_options=options)
    assert '--aptopt=Acquire::http::Proxy "http://proxy:3128"' in argv


@pytest.mark.parametrize(
    ("lines", "reason", "hint"),
    [
        (
            [
                "E: Unable to locate package nosuch",
                "E: apt-get -oDpkg::Use-Pty=false failed",
                "E: mmdebstrap failed to run",
            ],
            "Unable to locate package nosuch",
            "asks for a package",
        ),
        (
            ["Err:1 http://m trixie InRelease", "  Could not connect to m:80", "E: mmdebstrap failed to run"],
            "Err:1",
            "network",
        ),
        (
            ["E: Release file for http://m is expired (invalid since 3 days)."],
            "is expired",
            "check_valid_until: false",
        ),
        (
            ["W: no entry in /etc/subuid for joe", "E: failed to parse /etc/subuid and /etc/subgid"],
            "/etc/subuid",
            "uidmap",
        ),
        ([], "no output", "mmdebstrap.log"),
    ],
)
def test_a_failure_says_why_and_what_mends_it(lines: list[str], reason: str, hint: str) -> None:
    error = explain("trixie", lines, LOG)
    assert reason in str(error)
    assert error.hint is not None
    assert hint in error.hint
    assert str(LOG) in error.hint


def test_only_installed_packages_count(tmp_path: Path) -> None:
    tar = make_tar(tmp_path / "r.tar", {"var/lib/dpkg/status": STATUS})
    assert installed_packages(tar) == {"criu": "4.1.1-1"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("usr/include/stdio.h", True),
        ("usr/include/x86_64-linux-gnu/asm/unistd.h", True),
        ("usr/include/mips64el-linux-gnuabi64/asm/unistd.h", False),
        ("usr/lib/x86_64-linux-gnu/libc.so.6", True),
        ("usr/lib/x86_64-linux-gnu/crt1.o", True),
        ("usr/lib/x86_64-linux-gnu/gconv/UTF-16.so", False),
        ("usr/lib/x86_64-linux-gnu/libc.a", False),
        ("usr/bin/python3", False),
    ],
)
def test_what_belongs_into_a_sysroot(path: str, expected: bool) -> None:
    assert sysroot.wanted(path) is expected


def test_a_sysroots_links_stay_inside(tmp_path: Path) -> None:
    libraries = "usr/lib/x86_64-linux-gnu"
    tar = make_tar(
        tmp_path / "r.tar",
        {f"{libraries}/libc.so.6": "libc", "etc/passwd": "secret"},
        {f"{libraries}/libm.so": f"/{libraries}/libc.so.6", f"{libraries}/libx.so": "libc.so.6"},
    )
    root = tmp_path / "sysroot"
    sysroot.extract(tar, root)
    assert (root / libraries / "libm.so").read_text() == "libc"
    assert (root / "lib/x86_64-linux-gnu/libx.so").read_text() == "libc"
    assert not (root / "etc").exists()
