"""A spent one-shot (EPOLLONESHOT) in an epoll set: until it is armed again, not even a hang-up may be told.

Any program with several threads on one set holds such targets, and hands each to one thread at a time. After the move
the peer closes; the set must stay silent, and tell of the byte and the hang-up once the target is armed again.

Leans on /proc/PID/fdinfo for epoll (3.8). The kernel shows a spent one-shot as events 0x40000000. CRIU adds it with
just these, and EPOLL_CTL_ADD adds errors and hang-ups of its own accord (fs/eventpoll.c): 0x40000018, so that the
target can wake a second thread. Found by this lab (CRIU 4.1.1, 6.12 to 6.12). A scenario of its own, so that it hides
no other.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(command=("bin/epoll_spent",), sources=("epoll_spent.c",), tags=("trait",))

CORRUPTIONS = {
    "armed": "it is armed",
    "added": "it tells of a hang-up",
    "lost": "the set does not hold it",
}
"""What the self-test can damage, and what `check` must then say."""
