"""The command lines and settings of container engines. Nothing here runs anything.

A container is made of a root file system with the userland's libc, a shell and the workload, and of a volume, which
is the workload's directory: `/work` inside, a directory below the guest's `/work` outside, where the lab asks. Both
travel with the checkpoint. The guests have no systemd, cgroup2 alone and no network.
"""

from __future__ import annotations

import json
import shlex
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from harness.migration.criu import IMAGES, LOGS
from harness.scenario import WORK

VOLUME = f"{WORK}/volume"
BUNDLE = f"{WORK}/container"
ROOTFS = f"{BUNDLE}/rootfs"
INSIDE = "/work"
"""Where the container sees the volume."""
NAME = "kmatrix"
NETWORK = f"/run/netns/{NAME}"
PID_FILE = "/run/kmatrix/container.pid"
IMAGE = f"localhost/{NAME}:latest"

Argv = tuple[str, ...]
Step = tuple[str, ...]
"""A step of `container.sh` with its arguments."""


@dataclass(frozen=True)
class Container(ABC):
    """One container engine, as pure as its command lines."""

    name: str
    incapable: str
    """A regular expression: how the engine says that it was built without checkpoint and restore."""
    made_once: tuple[Step, ...] = ()
    """Steps before the start whose results travel."""
    made_again: tuple[Step, ...] = ()
    """Steps before the start, and again before the restore."""

    def files(self, command: Argv) -> dict[str, str]:
        """What is laid below `/work` before the start; path to text."""
        del command
        return {}

    def prepare(self) -> dict[str, Argv]:
        """The engine's own commands on either side before it can start or restore, by name."""
        return {}

    @abstractmethod
    def start(self, command: Argv) -> Argv:
        """Start the container and leave it running."""

    @abstractmethod
    def dump(self, options: Argv) -> Argv:
        """Checkpoint and end it; of CRIU's options the engine is given those that it has itself."""

    @abstractmethod
    def restore(self, options: Argv) -> Argv:
        """Bring it back and leave it running."""

    def find(self) -> Argv:
        """Print the pid of its first process as the guest knows it; most engines can write it down."""
        return ("cat", PID_FILE)


def program(command: Argv) -> Argv:
    """What the container runs: the lab's programs are in its `/bin`.

    The shell gives way to the workload, whose files are then all inside the container: CRIU cannot save one that is
    open and lies elsewhere.
    """
    argv = (f"/{command[0]}", *command[1:])
    return ("/bin/sh", "-c", f"exec {shlex.join(argv)} </dev/null >stdout.log 2>&1")


def settings(options: Argv) -> dict[str, str]:
    """CRIU's own configuration file (criu(8)), which it reads whoever calls it; path to text."""
    lines = (option.removeprefix("--").replace("=", " ", 1) for option in options)
    return {"/etc/criu/default.conf": "".join(f"{line}\n" for line in lines)}


def passed(options: Argv) -> Argv:
    """Those options that runtimes and podman know under CRIU's own name.

    A runtime tells CRIU of each whether it is on, which goes before CRIU's configuration file. A file that goes before
    the runtime's word is known to runc alone; crun has one since December 2025 (https://github.com/containers/crun/pull/1892).
    """
    return tuple(option for option in options if option in ("--tcp-established", "--file-locks"))


def runtime_spec(command: Argv, network: str | None) -> dict[str, Any]:
    """The runtime's `config.json`; `network` is the path of a network namespace that somebody else made."""
    plain = ["nosuid", "noexec", "nodev"]
    capabilities = ["CAP_KILL", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_NICE"]
    return {
        "ociVersion": "1.0.2",
        "hostname": NAME,
        "root": {"path": "rootfs"},
        "process": {
            "args": list(program(command)),
            "cwd": INSIDE,
            "env": ["PATH=/bin"],
            "user": {"uid": 0, "gid": 0},
            "noNewPrivileges": True,
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {
                "destination": "/dev",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "mode=755", "size=64k"],
            },
            {
                "destination": "/dev/pts",
                "type": "devpts",
                "source": "devpts",
                "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
            },
            {
                "destination": "/dev/shm",
                "type": "tmpfs",
                "source": "shm",
                "options": [*plain, "mode=1777", "size=64m"],
            },
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": plain},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*plain, "ro"]},
            {
                "destination": "/sys/fs/cgroup",
                "type": "cgroup",
                "source": "cgroup",
                "options": [*plain, "ro"],
            },
            {"destination": INSIDE, "type": "bind", "source": VOLUME, "options": ["bind", "rw"]},
        ],
        "linux": {
            "cgroupsPath": f"/{NAME}",
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [
                *({"type": kind} for kind in ("pid", "ipc", "uts", "mount", "cgroup")),
                {"type": "network"} | ({"path": network} if network else {}),
            ],
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    }


@dataclass(frozen=True)
class Runtime(Container):
    """An OCI runtime: runc, or crun, which takes the same arguments."""

    network: str | None = None
    """The path of a network namespace that somebody else made."""

    def files(self, command: Argv) -> dict[str, str]:
        """The bundle's configuration."""
        return {f"{BUNDLE}/config.json": json.dumps(runtime_spec(command, self.network), indent=1) + "\n"}

    def start(self, command: Argv) -> Argv:
        """`run --detach`; the command is in the bundle."""
        del command
        return (*self._engine, "run", "--detach", "--pid-file", PID_FILE, "--bundle", BUNDLE, NAME)

    def dump(self, options: Argv) -> Argv:
        """`checkpoint`."""
        return (
            *self._engine,
            "checkpoint",
            *passed(options),
            "--image-path",
            IMAGES,
            "--work-path",
            LOGS,
            NAME,
        )

    def restore(self, options: Argv) -> Argv:
        """`restore --detach`."""
        paths = ("--image-path", IMAGES, "--work-path", LOGS, "--pid-file", PID_FILE, "--bundle", BUNDLE)
        return (*self._engine, "restore", "--detach", *passed(options), *paths, NAME)

    @property
    def _engine(self) -> Argv:
        return (self.name, "--log", f"{LOGS}/{self.name}.log")


@dataclass(frozen=True)
class _Podman(Container):
    """Podman with the runtime that its package chooses; the archive that it exports is the checkpoint."""

    def prepare(self) -> dict[str, Argv]:
        """The image, which a checkpoint names and does not hold."""
        return {"load": (*self._engine, "load", "--quiet", "--input", f"{BUNDLE}/image.tar")}

    def start(self, command: Argv) -> Argv:
        """`run --detach`, without a network's devices and without anything that asks for systemd."""
        alone = ("--network", "none", "--log-driver", "none", "--pidfile", PID_FILE)
        work = ("--volume", f"{VOLUME}:{INSIDE}", "--workdir", INSIDE)
        return (*self._engine, "run", "--detach", "--name", NAME, *alone, *work, IMAGE, *program(command))

    def dump(self, options: Argv) -> Argv:
        """`container checkpoint --export`."""
        export = ("--keep", "--compress", "none", "--export", f"{IMAGES}/checkpoint.tar")
        return (*self._engine, "container", "checkpoint", *passed(options), *export, NAME)

    def restore(self, options: Argv) -> Argv:
        """`container restore --import`."""
        source = ("--keep", "--import", f"{IMAGES}/checkpoint.tar")
        return (*self._engine, "container", "restore", *passed(options), *source)

    @property
    def _engine(self) -> Argv:
        return (
            "podman",
            "--storage-driver",
            "vfs",
            "--cgroup-manager",
            "cgroupfs",
            "--events-backend",
            "file",
        )


@dataclass(frozen=True)
class _Lxc(Container):
    """LXC: a privileged container, whose tool calls CRIU's command line itself."""

    def files(self, command: Argv) -> dict[str, str]:
        """The container's configuration; CRIU wants neither console nor ttys: https://criu.org/LXC."""
        del command
        settings = {
            "lxc.rootfs.path": f"dir:{ROOTFS}",
            "lxc.uts.name": NAME,
            "lxc.net.0.type": "empty",
            "lxc.net.0.flags": "up",
            "lxc.tty.max": "0",
            "lxc.pty.max": "16",
            "lxc.console.path": "none",
            "lxc.apparmor.profile": "unconfined",
            "lxc.mount.auto": "proc:rw sys:ro",
            "lxc.mount.entry": f"{VOLUME} {INSIDE.lstrip('/')} none bind 0 0",
            "lxc.init.cwd": INSIDE,
        }
        return {f"{BUNDLE}/config": "".join(f"{key} = {value}\n" for key, value in settings.items())}

    def start(self, command: Argv) -> Argv:
        """`lxc-start`, with the workload in place of an init."""
        return ("lxc-start", *self._engine, *self._log, "--daemon", "--", *program(command))

    def dump(self, options: Argv) -> Argv:
        """`lxc-checkpoint --stop`; liblxc passes on what it thinks right, connections included."""
        del options
        return (
            "lxc-checkpoint",
            *self._engine,
            *self._log,
            "--stop",
            "--verbose",
            "--checkpoint-dir",
            IMAGES,
        )

    def restore(self, options: Argv) -> Argv:
        """`lxc-checkpoint --restore`."""
        del options
        return (
            "lxc-checkpoint",
            *self._engine,
            *self._log,
            "--restore",
            "--verbose",
            "--checkpoint-dir",
            IMAGES,
        )

    def find(self) -> Argv:
        """`lxc-info`."""
        return ("lxc-info", *self._engine, "--pid", "--no-humanize")

    @property
    def _engine(self) -> Argv:
        return ("--lxcpath", WORK, "--name", "container")

    @property
    def _log(self) -> Argv:
        return ("--logfile", f"{LOGS}/lxc.log", "--logpriority", "INFO")


# runc leaves the devices of a network namespace to whoever calls it, and has CRIU save none of them. A namespace with a
# path is what containerd and CRI-O give it: https://github.com/opencontainers/runc/blob/main/checkpoint.go
RUNC = Runtime("runc", "unknown command", made_again=(("network", NAME),), network=NETWORK)
CRUN = Runtime("crun", "unknown command|could not load `?libcriu|without CRIU")
PODMAN = _Podman(
    "podman",
    "does not support checkpoint|could not load `?libcriu|unknown command",
    made_once=(("image", IMAGE),),
)
LXC = _Lxc("lxc", "checkpoint.* not supported", made_again=(("security",),))
