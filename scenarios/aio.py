"""Asynchronous input and output: two contexts with events in their rings that nobody has fetched yet.

One ring has been gone round many times; one request tells an eventfd. After the move the events must be fetched in
their order, the old contexts must take new requests, and be destroyed.

Leans on io_setup and its ring in the process's memory, which CRIU moves by mremap (3.15) and winds on to its old head
and tail by requests of its own.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/aio",),
    sources=("aio.c",),
    needs=Needs(config=("CONFIG_AIO",), features=("aio_remap",)),
)

CORRUPTIONS = {
    "lost": "first context: 4 events, expected 5",
    "order": "context that went round: is 1003, expected 1004",
    "destroyed": r"first context: -1 events, expected 5 \(Invalid argument\)",
    "untold": "eventfd: 0, expected 1",
}
"""What the self-test can damage, and what `check` must then say."""
