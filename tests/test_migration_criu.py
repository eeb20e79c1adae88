"""CRIU's command lines, for a CRIU of 2014 and today's; and what goes into and comes out of a guest."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from harness.errors import HostError
from harness.migration.criu import Criu, feature_names, known_options
from harness.migration.site import as_log, images_size, make_payload, require_whole

HELP_1_3 = """\

Usage:
  criu dump|pre-dump -t PID [<options>]
  criu restore [<options>]
  criu check [--ms]

General options:
  -t|--tree PID         checkpoint a process tree identified by PID
  -d|--restore-detached detach after restore
  -s|--leave-stopped    leave tasks in stopped state after checkpoint
  -D|--images-dir DIR   directory for image files
     --pidfile FILE     write root task, service or page-server pid to FILE
  -W|--work-dir DIR     directory to cd and write logs/pidfiles/stats to
     --cpu-cap CAP      require certain cpu capability. CAP: may be one of: 'fpu','all'.
                        To disable capability, prefix it with '^'.
* Special resources support:
  -x|--ext-unix-sk      allow external unix connections
     --tcp-established  checkpoint/restore established TCP connections
  -r|--root PATH        change the root filesystem (when run in mount namespace)
     --file-locks       handle file locks, for safety, only used for container
  -L|--libdir           path to a plugin directory (by default /var/lib/criu/)
* Logging:
  -o|--log-file FILE    log file name
  -v[NUM]               set logging level (higher level means more output):
"""
HELP_4_1 = """\
  -d|--restore-detached detach after restore
  -S|--restore-sibling  restore root task as sibling
  --shell-job           allow one to dump and restore shell jobs
  --external RES        dump objects from this list as external resources:
                        Formats of RES on dump:
                            tty[rdev:dev]
  --tcp-established     checkpoint/restore established TCP connections
  --skip-in-flight      this option skips in-flight TCP connections.
  --network-lock METHOD network locking/unlocking method; argument
                        can be 'nftables' or 'iptables' (default).
  --tls-no-cn-verify    do not verify common name in server certificate
  --timeout NUM         a timeout (in seconds) on collecting tasks during dump
                        (default 10 seconds)
"""


def test_an_old_and_a_new_criu_say_what_they_know() -> None:
    old, new = known_options(HELP_1_3), known_options(HELP_4_1)
    assert old == {
        "--tree", "--restore-detached", "--leave-stopped", "--images-dir", "--pidfile", "--work-dir", "--cpu-cap",
        "--ext-unix-sk", "--tcp-established", "--root", "--file-locks", "--libdir", "--log-file", "--ms",
    }  # fmt: skip
    assert new >= {
        "--tcp-established",
        "--network-lock",
        "--skip-in-flight",
        "--tls-no-cn-verify",
        "--timeout",
    }
    assert {"--ext-unix-sk", "--no-mntns-compat-mode"} <= known_options("  --external  --mntns-compat-mode")
    assert not {"--ext-unix-sk", "--no-mntns-compat-mode"} & known_options("  --internal")
    assert known_options("") == frozenset()
    assert known_options("a--b c---d --- -- -v4 --UPPER") == frozenset()


def test_the_features_that_a_criu_knows() -> None:
    told = """\
  --all                 same as --extra --experimental
  --feature FEAT        only check a particular feature, one of:
                            mnt_id, mem_dirty_track,
                            uffd-noncoop, get_rseq_conf

* Logging:
"""
    assert feature_names(told) == ("mnt_id", "mem_dirty_track", "uffd-noncoop", "get_rseq_conf")
    assert feature_names("a CRIU of 2014") == ()
    assert Criu.told("criu", "4.1.1", told).features == feature_names(told)


def test_what_a_scenario_wants_and_a_criu_lacks() -> None:
    old = Criu("/opt/criu/sbin/criu", "1.3.1", known_options(HELP_1_3))
    wanted = ("--tcp-established", "--network-lock=nftables", "--timeout=30")
    assert old.missing(wanted) == ["--network-lock=nftables", "--timeout=30"]
    assert Criu("criu", "4.1.1", known_options(HELP_4_1)).missing(wanted) == []
    assert old.missing(()) == []


def test_the_command_lines() -> None:
    criu = Criu("/usr/sbin/criu", "4.1.1", frozenset())
    assert criu.dump(20001, ("--tcp-established",)) == (
        "/usr/sbin/criu", "dump", "-t", "20001", "-D", "/checkpoint/images", "-o", "/checkpoint/logs/dump.log",
        "-v4", "--tcp-established",
    )  # fmt: skip
    assert criu.restore() == (
        "/usr/sbin/criu", "restore", "-D", "/checkpoint/images", "-o", "/checkpoint/logs/restore.log", "-v4", "-d",
    )  # fmt: skip


@pytest.mark.parametrize("text", [HELP_1_3, HELP_4_1])
def test_only_options_of_every_criu_are_always_given(text: str) -> None:
    criu = Criu("criu", "", known_options(text))
    long = [word for word in (*criu.dump(1), *criu.restore()) if word.startswith("--")]
    assert criu.missing(tuple(long)) == []


def test_a_payload_is_a_tar_of_programs_and_always_the_same(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).write_bytes(name.encode() * 1000)
    make_payload(tmp_path / "1.tar", {"b": tmp_path / "b", "a": tmp_path / "a"})
    make_payload(tmp_path / "2.tar", {"a": tmp_path / "a", "b": tmp_path / "b"})
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
    with tarfile.open(tmp_path / "1.tar") as tar:
        assert [(m.name, m.mode, m.size, m.mtime) for m in tar] == [
            ("work/bin/a", 0o755, 1000, 0),
            ("work/bin/b", 0o755, 1000, 0),
        ]


def test_the_size_of_the_images_leaves_out_the_work_directory(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "c.tar", "w") as tar:
        for name, size in (
            ("work/data", 999),
            ("checkpoint/images/pages-1.img", 4096),
            ("checkpoint/images/core-1.img", 7),
        ):
            member = tarfile.TarInfo(name)
            member.size = size
            tar.addfile(member, io.BytesIO(bytes(size)))
    assert images_size(tmp_path / "c.tar") == 4103


def test_commands_are_logged_so_that_they_can_be_told_apart() -> None:
    assert (
        as_log({"dump": ("criu", "a b", "ü"), "restore": ("x",)})
        == 'dump: ["criu", "a b", "ü"]\nrestore: ["x"]\n'
    )
    assert as_log({}) == ""


def test_a_tar_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"x" * 1_000_000)
    command = ["tar", "-cf", str(tmp_path / "c.tar"), "-b", "512", "-C", str(tmp_path), "data"]
    subprocess.run(command, check=True)
    whole = (tmp_path / "c.tar").read_bytes()
    require_whole(tmp_path / "c.tar")
    for size in (0, 1, 512, 512 * 512, len(whole) - 512, len(whole) - 1):
        (tmp_path / "c.tar").write_bytes(whole[:size])
        with pytest.raises(HostError, match=f"cut off after {size} bytes"):
            require_whole(tmp_path / "c.tar")
