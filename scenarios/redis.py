"""redis-server and its clients in one tree: keys, an expiry, a client blocked in BLPOP, an open transaction.

Three TCP connections stay open through the move: one asks; one is blocked in BLPOP on an empty list; one is inside
MULTI with commands queued and a watched key. TCP and not a unix socket, because that is how redis is run. Nothing is
saved to disk, so every answer comes from the memory that moved.

Leans on what `tcp` leans on, and on epoll, background threads, eventfd or pipes between them, and large heaps with
jemalloc's madvise. A pair where `tcp` fails will fail here too; a pair where only this fails is about redis.
"""

from __future__ import annotations

from testinfra.host import Host

from harness.scenario import Facts, Needs, Scenario, Workload
from harness.witness import assert_unchanged, assert_unharmed

SCENARIO = Scenario(
    command=("bin/redis",),
    sources=("redis.c",),
    tags=("app", "network"),
    needs=Needs(packages=("redis-server",)),
    criu=("--tcp-established",),
    own_network=True,
)

CORRUPTIONS = {
    "key": "key17: byte",
    "expiry": "expires_at",
    "big": "big value: byte",
    "watched": "EXEC",
    "executed": "balance before EXEC",
    "reconnected": "connections_ever",
    "unblocked": "blocked client: has an answer",
    "server": "run_id",
}
"""What the self-test can damage, and what `check` must then say."""


def ready(host: Host, workload: Workload) -> None:
    """Wait until the server has the keys, the transaction and the blocked client."""
    workload.await_ready(seconds=40)


def check(host: Host, workload: Workload, before: Facts) -> None:
    """Keys are what they were, EXEC gives what it must, the blocked client gets its element."""
    after = workload.ask("check")
    assert_unharmed(workload, before, after)
    assert_unchanged(
        before, after, "server", "run_id", "server_pid", "version", "client_id", "keys", "expires_at"
    )
    assert_unchanged(before, after, "blocked_clients", "clients", "connections_ever")
    assert after["blocked_clients"] == "1"
    assert int(after["expires_at"].removeprefix(":")) > 0
