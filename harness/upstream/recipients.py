"""Who is written to: the lists that always hear of such a thing, and those that a kernel tree names."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from email.utils import getaddresses
from pathlib import Path

from harness.errors import ConfigError
from harness.upstream.frontier import Frontier

REGRESSIONS = "regressions@lists.linux.dev"
STABLE = "stable@vger.kernel.org"
LINUX_API = "linux-api@vger.kernel.org"
CRIU = "criu@lists.linux.dev"
SCRIPT = "scripts/get_maintainer.pl"
_OPTIONS = ("--nogit", "--nogit-fallback", "--norolestats")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")
_SECONDS = 120

# Where the code of an interface lies. Words are searched in the interface's name and in the error.
_FILES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"TCP_REPAIR|\btcp\b|inet", ("net/ipv4/tcp.c",)),
    (r"sock_diag|inet_diag|netlink_diag|unix_diag|UDPLITE", ("net/core/sock_diag.c", "net/ipv4/inet_diag.c")),
    (r"SO_|[sg]etsockopt|\bsockets?\b", ("net/core/sock.c",)),
    (r"\bunix\b|SCM_", ("net/unix/af_unix.c",)),
    (r"netfilter|nftables|iptables|conntrack", ("net/netfilter/nf_tables_api.c",)),
    (r"pagemap|smaps|/maps|PAGEMAP_SCAN", ("fs/proc/task_mmu.c",)),
    (r"/proc/.*(status|stat\b|attr)", ("fs/proc/array.c", "fs/proc/base.c")),
    (r"fdinfo", ("fs/proc/fd.c",)),
    (r"PR_SET_MM|prctl", ("kernel/sys.c",)),
    (r"mmap|mremap|madvise|\bVMA\b|mapping|MAP_", ("mm/mmap.c", "mm/madvise.c")),
    (r"userfaultfd|uffd", ("fs/userfaultfd.c", "mm/userfaultfd.c")),
    (r"clone3|pidfd|ns_last_pid|fork", ("kernel/fork.c", "kernel/pid.c")),
    (r"rseq", ("kernel/rseq.c",)),
    (r"ptrace", ("kernel/ptrace.c",)),
    (r"seccomp", ("kernel/seccomp.c",)),
    (r"timerfd", ("fs/timerfd.c",)),
    (r"timer", ("kernel/time/posix-timers.c",)),
    (r"epoll", ("fs/eventpoll.c",)),
    (r"inotify|fanotify|fsnotify", ("fs/notify/fdinfo.c",)),
    (r"mount|propagation", ("fs/namespace.c",)),
    (r"vdso|vvar|vDSO", ("arch/x86/entry/vdso/vma.c",)),
    (r"xsave|xstate|sigframe|signal frame|FPU|MXCSR", ("arch/x86/kernel/fpu/signal.c",)),
    (r"cgroup", ("kernel/cgroup/cgroup.c",)),
    (r"\bipc\b|shm|semaphore|msgq|next_id", ("ipc/util.c",)),
    (r"membarrier", ("kernel/sched/membarrier.c",)),
    (r"flock|file locks?|LOCK_MAND|lease", ("fs/locks.c",)),
    (r"\bbpf\b|BPF", ("kernel/bpf/syscall.c",)),
    (r"\btty\b|\bpty\b", ("drivers/tty/pty.c",)),
    (r"\btun\b", ("drivers/net/tun.c",)),
    (r"pipe|splice|tee", ("fs/pipe.c",)),
)


@dataclass(frozen=True)
class Recipients:
    """Addresses as they stand in the header, each one plain."""

    to: tuple[str, ...]
    cc: tuple[str, ...]
    files: tuple[str, ...]
    """Files of the kernel that the interface points at; a guess, made from words."""
    asked: bool
    """Whether a kernel tree was asked for its maintainers."""

    @property
    def question(self) -> str:
        """The command that asks a kernel tree."""
        return " ".join([SCRIPT, *_OPTIONS, "-f", *(self.files or ("FILE",))])


def recipients(words: str, frontier: Frontier, tree: Path | None) -> Recipients:
    """Whom a mail to the kernel's developers goes to; `words` tell of the interface.

    Raises `ConfigError` if `tree` is no kernel tree, or its script does not answer.
    """
    files = kernel_files(words)
    lists = [REGRESSIONS, LINUX_API, CRIU, *([STABLE] if _in_stable(frontier) else [])]
    if tree is None:
        return Recipients((lists[0],), tuple(lists[1:]), files, asked=False)
    if not (tree / SCRIPT).is_file():
        raise ConfigError(f"{tree} is no kernel tree: there is no {SCRIPT}", hint="--kernel-tree ~/src/linux")
    present = tuple(name for name in files if (tree / name).is_file())
    maintainers = _ask(tree, present) if present else ()
    people = [one for one in maintainers if one not in lists]
    return Recipients(tuple(people or lists[:1]), tuple(lists[0 if people else 1 :]), present, asked=True)


def kernel_files(words: str) -> tuple[str, ...]:
    """Files of the kernel that words about an interface point at, at most four."""
    named = [name for pattern, names in _FILES if re.search(pattern, words) for name in names]
    return tuple(dict.fromkeys(named))[:4]


def _in_stable(frontier: Frontier) -> bool:
    """Whether it came with a release of a stable series, not with a mainline release or its candidates."""
    good = frontier.good
    return good is not None and frontier.within_a_series and "-rc" not in good.name


def _ask(tree: Path, files: tuple[str, ...]) -> tuple[str, ...]:
    argv = ["perl", SCRIPT, *_OPTIONS, "-f", *files]
    try:
        done = subprocess.run(
            argv, cwd=tree, capture_output=True, text=True, errors="replace", check=False, timeout=_SECONDS
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{SCRIPT} cannot be asked: {error}") from error
    if done.returncode != 0:
        raise ConfigError(
            f"{SCRIPT} ended with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}"
        )
    return tuple(
        dict.fromkeys(
            address for _, address in getaddresses(done.stdout.splitlines()) if _ADDRESS.fullmatch(address)
        )
    )
