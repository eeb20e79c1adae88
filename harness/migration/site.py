"""A guest that is ready for the lab's work: start a workload in it, dump it, restore one, bring out the evidence."""

from __future__ import annotations

import contextlib
import json
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from testinfra.host import Host

from harness.config import Timeouts
from harness.deadline import Deadline
from harness.errors import GuestCommandFailed, HostError
from harness.guests.agent import CommandResult
from harness.guests.backend import GuestBackend, guest_host
from harness.guests.guest import Guest
from harness.images.agent import HAND_PATH, LOGS_PATH, PACK_PATH, STEP_PATH, UNPACK_PATH
from harness.migration.checkpoint import Checkpoint
from harness.migration.criu import LOGS, Criu
from harness.scenario import WORK

ENGINE_OUTPUT = f"{LOGS}/criu.out"
"""What CRIU, or the engine that calls it, says besides its log."""
_INPUT = "/run/kmatrix/input"
"""A link to the input disk, made by `lab.sh`."""
_OUT = "/dev/virtio-ports/kmatrix.out"
_PID_FILE = "/checkpoint/pid"
_LOGS_COMMAND = (LOGS_PATH, _OUT, "/checkpoint", WORK)
_PACK_COMMAND = (PACK_PATH, _OUT, "/", WORK.lstrip("/"), "checkpoint/images", "checkpoint/pid")
_LAB = "/run/kmatrix/lab"
_TAR_RECORD = 512 * 512
"""Bytes; `pack` writes whole records."""
_TAR_END = 1024
"""Zeros that end every tar."""
_LAB_SOURCE = Path(__file__).parent / "guest" / "lab.sh"
_CONTAINER = "/run/kmatrix/container"
_CONTAINER_SOURCE = _LAB_SOURCE.with_name("container.sh")


@dataclass(frozen=True)
class CriuRun:
    """One call of CRIU in a guest."""

    argv: tuple[str, ...]
    returncode: int
    """As CRIU gave it; not to be trusted alone."""
    seconds: float
    """Inside the guest, by the host's clock."""
    uptime: str
    """The guest's uptime when CRIU began, seconds."""


class Site:
    """One guest and what the lab does there. Not for use by two threads at once."""

    def __init__(self, guest: Guest, timeouts: Timeouts) -> None:
        self.guest = guest
        self._timeouts = timeouts
        self.criu = Criu("", "", frozenset())
        self._fresh()

    def _fresh(self) -> None:
        self.backend = GuestBackend(self.guest, self._timeouts.command)
        self.host: Host = guest_host(self.backend)

    def open(self, criu_path: str, criu_version: str, known: Criu | None = None) -> None:
        """Boot the guest and prepare it; `known` is its CRIU, which is asked for its help if not given.

        Raises every `GuestError`.
        """
        self.guest.boot(Deadline.after(self._timeouts.boot))
        self.guest.write(_LAB, _LAB_SOURCE.read_bytes(), self._soon())
        self._lab("prepare")
        if known is None:
            said = self.guest.run(criu_path, "--help", deadline=self._soon())
            text = (said.stdout + said.stderr).decode("utf-8", "replace")
            known = Criu.told(criu_path, criu_version, text)
        self.criu = known

    def load_modules(self) -> None:
        """Have the kernel load the modules that CRIU asks about, in one call in place of one for each."""
        self._lab("modules")

    def has_feature(self, name: str) -> bool:
        """Whether CRIU finds a feature of `criu check --feature` in this guest's kernel; not if it knows none such."""
        done = self.guest.run(*self.criu.check_feature(name), deadline=self._soon())
        return done.returncode == 0

    def snapshot(self) -> None:
        """Warm the guest up and make that the state that `reset` returns to."""
        self._lab("warm", self.criu.path)
        self.guest.snapshot()

    def reset(self) -> None:
        """Back to the snapshot, with a testinfra host that remembers nothing."""
        self.guest.reset()
        self._fresh()

    def park(self) -> None:
        """Stop the guest's processor until it is needed again."""
        self.guest.park()

    def unpark(self) -> None:
        """Let the guest go on where it was parked."""
        self.guest.unpark()

    def clean(self) -> None:
        """Without a reset: end the last workload and forget its files (`--isolation shared`)."""
        self._lab("clean")
        self.guest.console.mark()
        self.guest.empty_out()
        self._fresh()

    def tune(self, sysctls: tuple[str, ...]) -> None:
        """Set what the kernel must have before a workload is started or restored. Raises `GuestCommandFailed`."""
        if not sysctls:
            return
        done = self.guest.run("/sbin/sysctl", "-qw", *sysctls, deadline=self._soon())
        require_success(f"sysctl {' '.join(sysctls)}", done)

    def start(self, payload: Path, command: tuple[str, ...], own_network: bool) -> int:
        """Unpack the workload's files and start it. Returns its pid."""
        self.guest.insert(payload)
        hand = (HAND_PATH, "start", "own" if own_network else "shared")
        deadline = Deadline.after(self._timeouts.start)
        self._unpack(deadline)
        return int(self._step("start", WORK, _PID_FILE, *hand, *command, deadline=deadline).text)

    @contextlib.contextmanager
    def checking(self) -> Iterator[None]:
        """What is asked through `host` in here has, all together, the time that a scenario's checks may take."""
        self.backend.phase = Deadline.after(self._timeouts.check)
        try:
            yield
        finally:
            self.backend.phase = None

    def adopt(self, pidfile: str) -> int:
        """The pid that a workload, or CRIU, has written to a file below the work directory."""
        return int(self._step("adopt", f"{WORK}/{pidfile}", _PID_FILE, deadline=self._soon()).text)

    def dump(self, pid: int, options: tuple[str, ...], around: tuple[str, ...] = ()) -> CriuRun:
        """Checkpoint the tree under `pid`; `around` is a program that prepares it and runs CRIU."""
        argv = (*around, *(("dump",) if around else ()), *self.criu.dump(pid, options))
        return self._criu(argv, Deadline.after(self._timeouts.dump))

    def pack(self, target: Path) -> None:
        """Bring work directory and images out of the guest, as a tar. Raises `HostError` if it is not whole."""
        self.guest.empty_out()
        done = self.guest.run(*_PACK_COMMAND, deadline=Deadline.after(self._timeouts.dump))
        require_success("pack", done)
        shutil.copyfile(self.guest.out, target)
        require_whole(target)

    def insert(self, checkpoint: Checkpoint) -> None:
        """Verify a checkpoint and lay it onto the input disk. Raises `CheckpointDamaged`."""
        checkpoint.verify()
        self.guest.insert(checkpoint.data)

    def restore(
        self, checkpoint: Checkpoint, options: tuple[str, ...], around: tuple[str, ...] = ()
    ) -> CriuRun:
        """Bring the tree of the inserted checkpoint back; `around` as for `dump`."""
        argv = (*around, *(("restore",) if around else ()), *self.criu.restore(options))
        deadline = Deadline.after(self._timeouts.restore)
        self._unpack(deadline, checkpoint.manifest.uptime)
        return self._criu(argv, deadline)

    def unpack(self, uptime: str | None = None) -> None:
        """Unpack the input for a container engine; `uptime` is that of the guest which dumped it."""
        self._unpack(Deadline.after(self._timeouts.start), uptime)
        self.guest.write(_CONTAINER, _CONTAINER_SOURCE.read_bytes(), self._soon())

    def contain(self, *step: str) -> None:
        """One of the steps of `container.sh`. Raises `GuestCommandFailed`."""
        self._container(*step)

    def lay(self, files: dict[str, str]) -> None:
        """Write files, path to text; a directory that one needs is made."""
        directories = sorted({str(Path(path).parent) for path in files})
        if directories:
            self.guest.run("/bin/mkdir", "-p", *directories, deadline=self._soon())
        for path, text in files.items():
            self.guest.write(path, text.encode(), self._soon())

    def require(self, name: str, argv: tuple[str, ...]) -> None:
        """Run a container engine's command that must succeed. Raises `GuestCommandFailed` with its own words."""
        # podman is a large program, and there may be two of its commands before a workload begins
        done = self._step("run", ENGINE_OUTPUT, *argv, deadline=Deadline.after(2 * self._timeouts.start))
        if (code := int(done.text.split()[0])) != 0:
            words = self.guest.run("/bin/cat", ENGINE_OUTPUT, deadline=self._soon()).text.strip()
            raise GuestCommandFailed(f"{argv[0]} {name} ended with {code}: {words}")

    def dump_by(self, argv: tuple[str, ...]) -> CriuRun:
        """Have a container engine checkpoint."""
        return self._criu(argv, Deadline.after(self._timeouts.dump))

    def restore_by(self, argv: tuple[str, ...]) -> CriuRun:
        """Have a container engine restore what was unpacked."""
        return self._criu(argv, Deadline.after(self._timeouts.restore))

    def find(self, argv: tuple[str, ...]) -> tuple[int, int]:
        """The pid that a container engine's command prints, and the pid by which that process knows itself."""
        pid, inner = self._container("find", *argv).text.split()
        return int(pid), int(inner)

    def logs(self, directory: Path) -> dict[str, Path]:
        """Bring CRIU's logs, dmesg and the workload's output out; name to file."""
        self.guest.empty_out()
        require_success("logs", self.guest.run(*_LOGS_COMMAND, deadline=self._soon()))
        with tarfile.open(self.guest.out) as tar:
            for member in tar:
                name = Path(member.name).name
                data = tar.extractfile(member) if member.isfile() else None
                if data is not None and name.endswith((".log", ".out")):
                    (directory / name).write_bytes(data.read())
        return {path.stem: path for path in sorted(directory.iterdir())}

    def close(self) -> None:
        """End the guest."""
        self.guest.close()

    def _soon(self) -> Deadline:
        return Deadline.after(self._timeouts.command)

    def _lab(self, *arguments: str) -> None:
        done = self.guest.run("/bin/sh", _LAB, *arguments, deadline=self._soon())
        require_success(f"lab {arguments[0]}", done)

    def _step(self, *arguments: str, deadline: Deadline) -> CommandResult:
        done = self.guest.run(STEP_PATH, *arguments, deadline=deadline)
        require_success(f"step {arguments[0]}", done)
        return done

    def _unpack(self, deadline: Deadline, uptime: str | None = None) -> None:
        require_success("unpack", self.guest.run(UNPACK_PATH, _INPUT, "/", deadline=deadline))
        if uptime is not None:
            self._step("age", uptime, deadline=deadline)

    def _container(self, *arguments: str) -> CommandResult:
        deadline = Deadline.after(self._timeouts.start)
        done = self.guest.run("/bin/sh", _CONTAINER, *arguments, deadline=deadline)
        require_success(f"container {arguments[0]}", done)
        return done

    def _criu(self, argv: tuple[str, ...], deadline: Deadline) -> CriuRun:
        done = self._step("run", ENGINE_OUTPUT, *argv, deadline=deadline)
        code, started, ended = done.text.split()
        # The guest's clock need not run as the host's does.
        rate = done.seconds / done.guest_seconds if done.guest_seconds else 1.0
        return CriuRun(argv, int(code), round((float(ended) - float(started)) * rate, 3), started)


def require_success(name: str, done: CommandResult) -> None:
    """Raise `GuestCommandFailed` with a command's own words unless it ended with 0."""
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip()
        raise GuestCommandFailed(f"{name} ended with {done.returncode}: {words}")


def require_whole(tar: Path) -> None:
    """Raise `HostError` unless a tar from a guest has its end.

    When the host's disk is full QEMU drops what the guest writes to its port, and the guest does not notice.
    """
    size = tar.stat().st_size
    with tar.open("rb") as file:
        file.seek(max(0, size - _TAR_END))
        end = file.read()
    if size % _TAR_RECORD or end != bytes(_TAR_END):
        raise HostError(
            f"what came out of the guest was cut off after {size} bytes; is the host's disk full?",
            hint="free some space, or set KMATRIX_CACHE to a directory on a larger disk",
        )


def images_size(data: Path) -> int:
    """Bytes of CRIU's images in a checkpoint's tar."""
    with tarfile.open(data) as tar:
        return sum(m.size for m in tar if m.name.startswith("checkpoint/images/"))


def make_payload(target: Path, files: dict[str, Path]) -> None:
    """A tar that puts `files` into the workload's `bin`; the same files give the same bytes."""
    # PAX headers are not for the guest's `unpack`
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, path in sorted(files.items()):
            member = tarfile.TarInfo(f"work/bin/{name}")
            member.size, member.mode = path.stat().st_size, 0o755
            with path.open("rb") as file:
                tar.addfile(member, file)


def as_log(commands: dict[str, tuple[str, ...]]) -> str:
    """The exact commands of an attempt, for its evidence."""
    return "".join(
        f"{name}: {json.dumps(list(argv), ensure_ascii=False)}\n" for name, argv in commands.items()
    )
