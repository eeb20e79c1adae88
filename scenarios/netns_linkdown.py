"""A network namespace in which a device with routes has no carrier: what `netns` holds, and the far end of a veth down.

CRIU saves such routes by `ip route save` as they are listed, with the flag that says that the link is down, and the
kernel takes no route with that flag: "Error: Invalid rtm_flags - can not contain DEAD or LINKDOWN", then "net: IP tool
failed on route restore" (CRIU 4.1.1 on 6.12). Any container whose cable is out at the dump is lost that way.

Leans on RTNH_F_LINKDOWN (4.2).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.matrix.workloads import load

_NETNS = load(Path(__file__).with_name("netns.py"))

SCENARIO = replace(_NETNS.scenario, command=("bin/netns", "linkdown"), tags=("trait", "namespace"))
CORRUPTIONS = _NETNS.corruptions
remember = _NETNS.module.remember
check = _NETNS.module.check
