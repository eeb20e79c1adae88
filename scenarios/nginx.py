"""nginx and its clients in one tree: a connection kept alive, half of a response, half of a request.

The master and its worker have a listener and three connections: one is kept alive and answers the same worker's pid
and its own number with every request; one client has read the head of a response whose rest waits in a full send
queue and in a file that has lost its name since; of one the worker has read half of a header line. A limit of one
response at a time for this guest is counted in memory shared by master and worker.

Leans on what `tcp` leans on with full queues; on deleted files (CRIU's ghost files), epoll, eventfd, a UNIX socket
pair between master and worker, shared anonymous memory, an appending log. The timeouts are hours long, on
CLOCK_MONOTONIC: before time namespaces (5.6) a clock that jumps ahead would end every connection.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("/usr/bin/python3", "-EsSB", "bin/nginx.py"),
    files=("files/nginx.py", "files/peers.py", "files/witness.py"),
    tags=("app", "network"),
    needs=Needs(packages=("nginx", "python3")),
    criu=("--tcp-established",),
    own_network=True,
)

CORRUPTIONS = {
    "reconnected": "changed .*(connection|ports)|kept connection: is",
    "limit": "limit: a second response|changed .*ports",
    "half": "half a request: the header is",
    "response": "half a response: [0-9]* of",
    "reloaded": "accepted|a new connection gets no answer",
    "log": "access log: has not every request",
    "server": "changed .*server",
}
"""What the self-test can damage, and what `check` must then say."""
