"""What `nftables` holds, with CRIU's default network lock, which is made with iptables.

Where iptables is a front of nf_tables, as on Debian, the restored namespace has tables that nobody made: `table ip
filter` and `table ip6 filter` with empty chains INPUT and OUTPUT at the hooks, left when the lock is taken away (CRIU
4.1.1 on 6.12: the check says "gained table ip filter"). They let everything through, and yet they were not there.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.matrix.workloads import load

_NFTABLES = load(Path(__file__).with_name("nftables.py"))

SCENARIO = replace(_NFTABLES.scenario, criu=(), tags=("trait", "namespace"))
CORRUPTIONS = _NFTABLES.corruptions
remember = _NFTABLES.module.remember
check = _NFTABLES.module.check
