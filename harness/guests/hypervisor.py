"""The connection to libvirt, and what must be swept when a run that owned one was killed.

By default `qemu:///embed`: libvirt's QEMU driver inside this process, no daemon. One process may have one root and
one root one process; a root has no autodestroy, so every root carries a lock that its owner holds while it lives.
Source: libvirt docs/drvqemu.rst, "Embedded driver".
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from harness.cache import Cache
from harness.errors import HostError
from harness.guests.bindings import libvirt

EMBED = "qemu:///embed"
_QEMU_CONF = """\
stdio_handler = "file"
security_driver = "none"
cgroup_controllers = [ ]
"""
_QEMU_CONF_ROOT = """\
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
"""


@dataclass(frozen=True)
class Hypervisor:
    """An open connection and the directory in which its guests' files live."""

    uri: str
    connection: libvirt.virConnect
    root: Path
    """libvirt's embedded root: sockets, pid files."""
    directory: Path
    """For overlays, consoles and ports; gone when the hypervisor is closed."""

    @property
    def versions(self) -> dict[str, str]:
        """libvirt's and QEMU's versions."""
        return {
            "libvirt": _dotted(libvirt.getVersion()),
            "qemu": _dotted(self.connection.getVersion()),
        }

    def end_guests(self) -> None:
        """End every guest of this process, whatever it is doing."""
        _end_guests(self.connection, self.root.name)


def _dotted(version: int) -> str:
    return f"{version // 1_000_000}.{version // 1_000 % 1_000}.{version % 1_000}"


@contextlib.contextmanager
def open_hypervisor(uri: str, cache: Cache) -> Iterator[Hypervisor]:
    """Connect to `uri`; on the way out end every guest that this process started and remove their files.

    Raises `HostError` if libvirt or QEMU are not there.
    """
    base = _base_directory()
    with _sweeping(base):
        _sweep(base)
        root = Path(tempfile.mkdtemp(prefix="", dir=base))
        lock = FileLock(root / "owner.lock")
        lock.acquire()
    directory = cache.root / "guests" / root.name
    directory.mkdir(parents=True)
    (root / "guests").symlink_to(directory)
    try:
        connection = _connect(uri, root, cache)
        hypervisor = Hypervisor(uri, connection, root, directory)
        try:
            yield hypervisor
        finally:
            _end_guests(connection, root.name)
            _keep_capabilities(root, cache)
            connection.close()
    finally:
        _kill_leftovers(root)
        lock.release()
        _remove(root)


def _base_directory() -> Path:
    # Short, because libvirt's sockets below it must fit in the 108 characters of a sockaddr_un.
    base = Path(tempfile.gettempdir()) / f"kmatrix-{os.geteuid()}"
    base.mkdir(mode=0o700, exist_ok=True)
    if base.stat().st_uid != os.geteuid():
        raise HostError(f"{base} belongs to somebody else")
    return base


def _connect(uri: str, root: Path, cache: Cache) -> libvirt.virConnect:
    # libvirt prints every error to stderr unless told otherwise; here each one becomes an exception.
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    _start_event_loop()
    if uri == EMBED:
        (root / "etc").mkdir()
        as_root = os.geteuid() == 0
        (root / "etc" / "qemu.conf").write_text(_QEMU_CONF + (_QEMU_CONF_ROOT if as_root else ""))
        known = _capabilities(cache)
        if known.is_dir():
            # libvirt probes QEMU for about 4 s in a new root; it checks itself whether what it finds here still holds.
            shutil.copytree(known, root / "cache", dirs_exist_ok=True)
        uri = f"{EMBED}?root={root}"
    try:
        return libvirt.open(uri)
    except libvirt.libvirtError as error:
        raise HostError(f"libvirt cannot open {uri}: {error}", hint="kmatrix doctor") from error


_event_loop = threading.Lock()


def _start_event_loop() -> None:
    # libvirt has one default event loop a process; the lock stays held by the loop that runs.
    if not _event_loop.acquire(blocking=False):
        return
    libvirt.virEventRegisterDefaultImpl()

    def run() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=run, name="libvirt-events", daemon=True).start()


def _capabilities(cache: Cache) -> Path:
    return cache.root / "libvirt" / f"{libvirt.getVersion()}-{os.geteuid()}"


def _keep_capabilities(root: Path, cache: Cache) -> None:
    known, found = _capabilities(cache), root / "cache"
    if not found.is_dir() or known.is_dir():
        return
    known.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".new.", dir=known.parent))
    shutil.copytree(found, temporary, dirs_exist_ok=True)
    try:
        temporary.rename(known)
    except OSError:
        shutil.rmtree(temporary)  # another process was first


def _end_guests(connection: libvirt.virConnect, prefix: str) -> None:
    for domain in connection.listAllDomains():
        if domain.name().startswith(prefix):
            with contextlib.suppress(libvirt.libvirtError):
                domain.destroy()


def sweep(base: Path | None = None) -> list[str]:
    """End the guests of runs whose process is gone, and remove their files. Returns the names of what was swept."""
    base = base or _base_directory()
    with _sweeping(base):
        return _sweep(base)


def _sweeping(base: Path) -> FileLock:
    """Held while sweeping and while a new root is made: one that has no owner yet is no leftover."""
    return FileLock(base / "sweep.lock")


def _sweep(base: Path) -> list[str]:
    swept = []
    for root in sorted(path for path in base.iterdir() if path.is_dir()):
        lock = FileLock(root / "owner.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        _kill_leftovers(root)
        lock.release()
        _remove(root)
        swept.append(root.name)
    return swept


def _kill_leftovers(root: Path) -> None:
    for file in [*root.glob("run/qemu/*.pid"), *root.glob("run/libvirt/qemu/*.pid")]:
        try:
            process = psutil.Process(int(file.read_text()))
            # A pid may have been given to another process since; only a QEMU of this very root is ours.
            if any(str(root) in argument for argument in process.cmdline()):
                process.send_signal(signal.SIGKILL)
                process.wait(5)
        except (psutil.Error, ValueError, OSError):
            continue


def _remove(root: Path) -> None:
    link = root / "guests"
    if link.is_symlink():
        shutil.rmtree(link.readlink(), ignore_errors=True)
    for _ in range(20):
        shutil.rmtree(root, ignore_errors=True)
        if not root.exists():
            return
        time.sleep(0.05)  # a QEMU on its way out may still make its pid file vanish under rmtree
