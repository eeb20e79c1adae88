"""What `kmatrix doctor` says about hosts that are made up."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from harness import doctor
from harness.cache import Cache
from harness.config import Settings
from harness.doctor import Check, Diagnosis, Host, Status
from harness.errors import Exit, HostError
from harness.host_packages import HostPackage, Need, install_command, read

SETTINGS = Settings()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """An ordinary user's host with an empty root directory and an empty path."""
    for name in ("bin", "etc", "dev", "proc"):
        (tmp_path / name).mkdir()
    return Host(
        path=str(tmp_path / "bin"),
        euid=1000,
        user="mia",
        root=tmp_path,
        available=8 << 30,
        cores=4,
        cache=Cache(tmp_path / "cache"),
    )


def put(host: Host, *programs: str) -> None:
    for name in programs:
        file = host.root / "bin" / name
        file.touch()
        file.chmod(0o755)


def test_the_table_is_whole() -> None:
    table = read()
    names = [package.name for package in table]
    assert names == sorted(set(names))
    assert {"qemu-system-x86", "libvirt-daemon", "mmdebstrap", "gcc", "busybox-static"} <= set(names)
    assert {package.need for package in table} == set(Need)
    assert all(package.purpose for package in table)


def test_a_table_with_a_slip_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "table"
    table.write_text("# head\n\ngcc always gcc compiles\n")
    with pytest.raises(ValueError, match="always"):
        read(table)


def test_missing_programs_end_in_one_command(host: Host) -> None:
    table = read()
    put(host, "gcc", "cpio")
    checks = list(doctor.packages(table, host))
    by_name = {check.what: check for check in checks}
    assert by_name["programs"].detail == "cpio, gcc"
    assert by_name["qemu-system-x86"].status is Status.MISSING
    assert by_name["gnupg"].status is Status.WARNING
    assert "gcc" not in by_name
    diagnosis = Diagnosis(tuple(checks), as_root=False)
    assert diagnosis.exit_code is Exit.LAB
    (command,) = diagnosis.commands
    assert command.startswith("sudo apt-get install --no-install-recommends apt busybox-static ")
    assert " gcc" not in command
    assert command in diagnosis.text()
    assert diagnosis.text().endswith("The lab cannot run.")


def test_files_prove_packages_too(host: Host) -> None:
    package = HostPackage("libvirt-daemon", Need.RUN, "/usr/lib/*/driver.so", "the driver")
    assert not package.is_here(host.path, host.root)
    (host.root / "usr/lib/x86_64-linux-gnu").mkdir(parents=True)
    (host.root / "usr/lib/x86_64-linux-gnu/driver.so").touch()
    assert package.is_here(host.path, host.root)
    assert replace(package, proof=None).is_here("", host.root)


def test_root_needs_no_sudo() -> None:
    assert install_command(["a", "b"], as_root=True) == "apt-get install --no-install-recommends a b"


def test_warnings_do_not_keep_the_lab_from_running() -> None:
    diagnosis = Diagnosis((Check("disk", Status.WARNING, "little"),), as_root=True)
    assert diagnosis.exit_code is Exit.OK
    assert diagnosis.text() == "warning  disk  little\n\nThe lab can run."


def test_the_environment_of_these_tests_is_complete() -> None:
    (check,) = doctor.python_packages("kmatrix")
    assert check.status is Status.OK, check.detail


def test_python_packages_that_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "importlib.metadata.requires",
        lambda _: ["pytest>=99", "there-is-no-such-package", "ruff>=99; extra == 'dev'", "typer"],
    )
    (check,) = doctor.python_packages("kmatrix")
    assert check.status is Status.MISSING
    assert check.mend == "make setup"
    first, second = check.detail.split("; ")
    assert first.startswith("pytest ")
    assert first.endswith(" is not >=99")
    assert second == "there-is-no-such-package is not installed"


def test_python_packages_of_nothing() -> None:
    (check,) = doctor.python_packages("there-is-no-such-package")
    assert check.status is Status.MISSING


def test_the_user_of_embedded_libvirt(host: Host) -> None:
    def nobody(_: str) -> bool:
        return False

    root = replace(host, euid=0)
    (check,) = doctor.embedded_user(SETTINGS, root, nobody)
    assert check.package == "libvirt-daemon-system"
    assert list(doctor.embedded_user(SETTINGS, host, nobody)) == []
    assert list(doctor.embedded_user(SETTINGS, root, lambda name: name == "libvirt-qemu")) == []
    elsewhere = SETTINGS.model_copy(update={"libvirt_uri": "qemu:///system"})
    assert list(doctor.embedded_user(elsewhere, root, nobody)) == []


def test_libvirt_is_really_opened(host: Host) -> None:
    def opens(uri: str, _: Cache) -> dict[str, str]:
        assert uri == "qemu:///embed"
        return {"libvirt": "9.0.0", "qemu": "7.2.22"}

    def refuses(uri: str, _: Cache) -> dict[str, str]:
        raise HostError(f"libvirt cannot open {uri}")

    def cannot_be_imported(_uri: str, _: Cache) -> dict[str, str]:
        raise ImportError("libvirt.so.0: cannot open shared object file")

    assert doctor.libvirt(SETTINGS, host, opens).detail.endswith("libvirt 9.0.0, qemu 7.2.22")
    assert doctor.libvirt(SETTINGS, host, refuses).status is Status.MISSING
    without = doctor.libvirt(SETTINGS, host, cannot_be_imported)
    assert without.status is Status.MISSING
    assert "libvirt.so.0" in without.detail
    assert without.mend == "make setup"


def sysctl(host: Host, name: str, value: str) -> None:
    file = host.root / "proc/sys" / name.replace(".", "/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{value}\n")


def test_user_namespaces(host: Host) -> None:
    assert list(doctor.user_namespaces(replace(host, euid=0), lambda: False)) == []
    assert [c.status for c in doctor.user_namespaces(host, lambda: True)] == [Status.OK]
    (unknown,) = doctor.user_namespaces(host, lambda: False)
    assert (unknown.status, unknown.mend) == (Status.MISSING, None)
    sysctl(host, "kernel.unprivileged_userns_clone", "1")
    sysctl(host, "user.max_user_namespaces", "0")
    (off,) = doctor.user_namespaces(host, lambda: False)
    assert off.mend == "sudo sysctl -w user.max_user_namespaces=10000"


def test_subordinate_ids(host: Host) -> None:
    (host.root / "etc/subuid").write_text("tom:100000:65536\nmia:165536:1000\nrubbish\nmia:x:y\n")
    (host.root / "etc/subgid").write_text("1000:100000:65536\n")
    users, groups = doctor.subordinate_ids(host)
    assert users.status is Status.MISSING
    assert users.mend == "sudo usermod --add-subuids 166536-232071 mia"
    assert groups.status is Status.OK
    assert list(doctor.subordinate_ids(replace(host, euid=0))) == []


def test_no_subordinate_ids_at_all(host: Host) -> None:
    assert [check.mend for check in doctor.subordinate_ids(host)] == [
        "sudo usermod --add-subuids 100000-165535 mia",
        "sudo usermod --add-subgids 100000-165535 mia",
    ]


def test_memory(host: Host) -> None:
    (enough,) = doctor.machine(SETTINGS, host)
    assert enough.status is Status.OK
    assert enough.detail.startswith("8192 MiB free, 4 cores: 4 at once")
    (little,) = doctor.machine(SETTINGS, replace(host, available=600 << 20))
    assert little.status is Status.MISSING
    assert "600 MiB" in little.detail


@pytest.mark.parametrize(
    ("free", "status"), [(72 << 30, Status.OK), (3 << 30, Status.WARNING), (100 << 20, Status.MISSING)]
)
def test_disk(free: int, status: Status, host: Host) -> None:
    check = doctor.disk(host, free)
    assert check.status is status
    assert str(host.cache.root) in check.detail


def test_kvm(host: Host) -> None:
    assert "not there" in doctor.kvm(host).detail
    device = host.root / "dev/kvm"
    device.touch()
    assert "proves nothing" in doctor.kvm(host).detail
    device.unlink()
    device.mkdir()  # cannot be opened for writing, not even by root
    check = doctor.kvm(host)
    assert check.status is Status.WARNING
    assert check.mend == "sudo adduser mia kvm"


def test_a_mirror_that_kernels_yaml_names() -> None:
    settings = Settings(mirrors={"debian": "http://one.example/debian", "security": "http://two.example/s"})
    assert doctor.mirror(settings).detail == "http://one.example/debian, http://two.example/s"


def test_no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_known(_: object) -> object:
        raise HostError("no Debian archive", hint="name one")

    monkeypatch.setattr(doctor, "read_mirrors", none_known)
    check = doctor.mirror(SETTINGS)
    assert (check.status, check.detail) == (Status.MISSING, "no Debian archive; name one")


def test_this_host() -> None:
    """Where these tests run at all, there is a path and a user."""
    here = Host.here()
    assert here.is_root == (os.geteuid() == 0)
    assert here.available > 0
    assert here.cores >= 1
