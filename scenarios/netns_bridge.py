"""What `netns` holds, and the settings of the bridge in it: ageing time and forward delay.

CRIU makes a bridge again with the kernel's defaults: the ageing time goes from 12344 to 30000 hundredths of a second
(CRIU 4.1.1, 6.1 and 6.12). Name, address, ports and state of the device are carried.

Leans on the attributes that a bridge has in rtnetlink.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from testinfra.host import Host

from harness.matrix.workloads import load
from harness.scenario import Facts, Workload

_NETNS = load(Path(__file__).with_name("netns.py"))

SCENARIO = replace(_NETNS.scenario, tags=("trait", "namespace"))
CORRUPTIONS = {"ageing": r"bridge: \[12344, 0\] became \[30000, 0\]"}


def remember(host: Host, workload: Workload) -> Facts:
    """What `netns` remembers, and the bridge's settings."""
    return _NETNS.remember(host, workload) | {"bridge": settings(host, workload)}


def check(host: Host, workload: Workload, before: Facts) -> None:
    """What `netns` checks, then the bridge's settings."""
    _NETNS.check(host, workload, {name: fact for name, fact in before.items() if name != "bridge"})
    found = settings(host, workload)
    assert found == before["bridge"], f"bridge: {before['bridge']} became {found}"


def settings(host: Host, workload: Workload) -> list[int]:
    """Ageing time and forward delay, in hundredths of a second."""
    command = f"nsenter -t {workload.pid} -n ip -json -details link show dev bridge0"
    data = json.loads(host.check_output(command))[0]["linkinfo"]["info_data"]
    return [data["ageing_time"], data["forward_delay"]]
