"""A kernel's configuration, read for what CRIU and the guest need."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_LINE = re.compile(r"^CONFIG_(?P<name>\w+)=(?P<value>.*)$")
_HEADER = re.compile(r"^# Linux/\S+ (?P<major>\d+)\.(?P<minor>\d+)", re.MULTILINE)
_NEWEST = (999, 0)

_NO_GUEST = "the guest cannot boot it"
_NO_CRIU = "this kernel cannot be a source or a destination"


@dataclass(frozen=True)
class Need:
    """Wanted options (one will do), since which release they exist, and what their absence means."""

    options: tuple[str, ...]
    consequence: str
    since: tuple[int, int] = (0, 0)

    @property
    def name(self) -> str:
        """The options as they are written in a message."""
        return " and ".join(f"CONFIG_{option}" for option in self.options)


def _need(options: str, consequence: str, since: tuple[int, int] = (0, 0)) -> Need:
    return Need(tuple(options.split()), consequence, since)


NEEDS: tuple[Need, ...] = (
    _need("64BIT", f"{_NO_GUEST}, its userland is 64 bit"),
    _need("BLK_DEV_INITRD", f"{_NO_GUEST}, it cannot start from an initrd"),
    _need("RD_GZIP", f"{_NO_GUEST}, it cannot unpack the initrd"),
    _need("BINFMT_ELF", f"{_NO_GUEST}, it runs no programs"),
    _need("BINFMT_SCRIPT", f"{_NO_GUEST}, its init is a script"),
    _need("DEVTMPFS", f"{_NO_GUEST}, it has no device files"),
    _need("PROC_FS", f"{_NO_GUEST}, it has no /proc"),
    _need("SYSFS", f"{_NO_GUEST}, disks are found through /sys"),
    _need("TMPFS", f"{_NO_GUEST}, it has no /run"),
    _need("VIRTIO_PCI", f"{_NO_GUEST}, it finds no virtio device"),
    _need("VIRTIO_BLK", f"{_NO_GUEST}, it finds no root disk"),
    _need("EXT4_FS", f"{_NO_GUEST}, it cannot mount the root disk"),
    _need("VIRTIO_CONSOLE", "the guest's agent cannot be reached"),
    _need("SERIAL_8250_CONSOLE", "its console stays silent, so a panic cannot be told from a hang"),
    _need("CHECKPOINT_RESTORE", _NO_CRIU),
    # before 5.12 kcmp(2) was part of CHECKPOINT_RESTORE (kernel commit bfe3911a9107)
    _need("KCMP", f"CRIU cannot tell which processes share what: {_NO_CRIU}", (5, 12)),
    _need("NAMESPACES", f"workloads get no namespaces of their own: {_NO_CRIU}"),
    _need("PID_NS", f"workloads cannot have their pids back: {_NO_CRIU}"),
    _need("NET_NS", "TCP workloads get no network of their own"),
    _need("UTS_NS", "UTS namespaces cannot be restored"),
    _need("IPC_NS", "IPC namespaces cannot be restored"),
    _need("TIME_NS", "a restored process sees the destination's monotonic clock, not its own", (5, 6)),
    _need("UNIX_DIAG", "Unix sockets cannot be dumped"),
    _need("INET_DIAG", "TCP sockets cannot be dumped"),
    _need("INET_UDP_DIAG", "UDP sockets cannot be dumped"),
    _need("PACKET_DIAG", "packet sockets cannot be dumped"),
    _need("NETLINK_DIAG", "netlink sockets cannot be dumped", (3, 10)),
    _need("NF_TABLES IP_NF_IPTABLES", "CRIU cannot hold back packets: TCP connections may be reset"),
    _need("NETFILTER_XT_MARK", "CRIU's network lock cannot let its own packets through"),
    _need("TUN", "tun devices cannot be dumped or restored"),
    _need("EPOLL", "event loops (Python, Redis) do not run"),
    _need("EVENTFD", "eventfd(2) is missing: its users do not run"),
    _need("SIGNALFD", "signalfd(2) is missing: its users do not run"),
    _need("TIMERFD", "timerfd_create(2) is missing: its users do not run"),
    _need("FHANDLE", "files that are watched or deleted cannot be dumped"),
    _need("INOTIFY_USER", "inotify(7) is missing: its users do not run"),
    _need("FANOTIFY", "fanotify(7) is missing: its users do not run"),
    _need("PROC_CHILDREN", "CRIU cannot list a process's children and may refuse to dump", (4, 2)),
    _need("MEM_SOFT_DIRTY", "changed memory cannot be tracked: no pre-copy", (3, 11)),
    _need("USERFAULTFD", "memory cannot be fetched later: no post-copy", (4, 3)),
)


_MORE = (
    "64BIT X86_5LEVEL X86_USER_SHADOW_STACK X86_VSYSCALL_EMULATION LEGACY_VSYSCALL_NONE LEGACY_VSYSCALL_XONLY "
    "COMPAT_VDSO GENERIC_VDSO_TIME_NS VGETRANDOM RSEQ MEMBARRIER SECCOMP SECCOMP_FILTER AUDIT USER_NS CGROUPS MEMCG "
    "CGROUP_BPF BPF_SYSCALL TRANSPARENT_HUGEPAGE HUGETLBFS ANON_VMA_NAME SHMEM MEMFD_CREATE AIO IO_URING "
    "POSIX_TIMERS POSIX_MQUEUE SYSVIPC KCMP PIDFD FUTEX OVERLAY_FS AUTOFS_FS UNIX INET MPTCP IP_UDPLITE "
    "SECURITY_APPARMOR SECURITY_SELINUX LSM SECURITY_YAMA LOCKDOWN_LSM KASAN LOCKDEP PROVE_LOCKING UBSAN "
    "DEBUG_ATOMIC_SLEEP PREEMPT PREEMPT_VOLUNTARY PREEMPT_DYNAMIC PREEMPT_LAZY HZ NO_HZ_FULL"
)
MATTERS = frozenset(_MORE.split()) | {option for need in NEEDS for option in need.options}
"""Options that what CRIU saves depends on, or that can turn a kernel's behaviour there."""


def read_options(config_text: str) -> dict[str, str]:
    """The options that are set, without `CONFIG_`: `{"UNIX": "y", "TUN": "m", "NR_CPUS": "512", ...}`."""
    matches = (_LINE.match(line) for line in config_text.splitlines())
    return {match["name"]: match["value"].strip('"') for match in matches if match and match["value"] != "n"}


def shortcomings(config_text: str, *, modules: bool = True) -> list[str]:
    """What this kernel lacks for CRIU and for the guest, in words, the worst first; empty if nothing.

    `modules` tells whether its modules come with it: without them, `=m` is as good as off.
    Options that did not exist yet in the kernel's release are not missed.
    """
    header = _HEADER.search(config_text)
    release = (int(header["major"]), int(header["minor"])) if header else _NEWEST
    return lacking(read_options(config_text), release, modules=modules)


def lacking(options: Mapping[str, str], release: tuple[int, ...], *, modules: bool = True) -> list[str]:
    """The same for options as `read_options` gives them; `release` are its first two numbers."""
    found = []
    for need in NEEDS:
        state = _state(need, options, modules=modules)
        if state and release >= need.since:
            verb = "are" if len(need.options) > 1 else "is"
            found.append(f"{need.name} {verb} {state}: {need.consequence}")
    return found


def telling(options: Mapping[str, str]) -> dict[str, str]:
    """Of a kernel's options those of `MATTERS`, by name; `n` for what is off."""
    return {name: options.get(name, "n") for name in sorted(MATTERS)}


def _state(need: Need, options: Mapping[str, str], *, modules: bool) -> str | None:
    values = {options.get(option, "n") for option in need.options}
    if "y" in values or ("m" in values and modules):
        return None
    return "modular, and no modules come with it" if "m" in values else "off"
