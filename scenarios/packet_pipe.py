"""A pipe of packets (O_DIRECT, 3.4): each write is read by itself.

CRIU refuses it: `The packetized mode for pipes is not supported yet`. What it copies with tee and splice would run
together. All else as in `fifo`.
"""

from __future__ import annotations

from harness.scenario import Scenario

SCENARIO = Scenario(
    command=("bin/fifo", "packets"),
    sources=("fifo.c",),
    refusal="The packetized mode for pipes is not supported",
    tags=("trait",),
)

CORRUPTIONS = {
    "merged": "packet 0: 450 bytes",
    "lost": "both: 4999 bytes",
    "reader": "quiet: nobody has it open",
}
"""What the self-test can damage, and what `check` must then say."""
