"""Signals: waiting for the process and for each of three threads, with everything that was sent along with them.

Real-time signals queued four deep, each with a siginfo whose every byte was chosen by the sender (`rt_sigqueueinfo`,
`rt_tgsigqueueinfo`), one of `sigqueue`, plain ones of `kill` and `tgkill`; another mask in each thread; handlers with
flags, masks and the restorer; an alternate stack in each thread, on which a handler must run.

Leans on PTRACE_PEEKSIGINFO (3.10), PTRACE_GETSIGMASK (3.11), rt_tgsigqueueinfo (2.6.31) for one's own process with
any code (3.9), sigaltstack. SIGUSR1 is the lab's own.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/signals",), sources=("signals.c",), libraries=("-lpthread",))

CORRUPTIONS = {
    "lost": "signal 0 of 2 for the process -1: byte",
    "order": "signal 0 of 2 for the process -1: byte",
    "shared": "thread 0: its plain signal",
    "mask": "a thread's mask",
    "stack": "thread 2: its alternate stack",
    "flags": "action of signal 12",
    "sender": "kill: its signal",
}
"""What the self-test can damage, and what `check` must then say."""
