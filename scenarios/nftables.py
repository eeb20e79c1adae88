"""An nftables ruleset in a network namespace: sets, intervals, a verdict map, a counter, a redirection.

The listing must stay the same to the letter, the counter's values included, and the rules must be in force: datagrams
over the loopback device are dropped, let through and redirected as before.

Leans on nf_tables (3.13) with concatenations in sets (5.6) and the inet family's nat (5.2). CRIU (3.14, built with
libnftables) saves the ruleset as text and gives it to the kernel again. Its network lock is made with nftables here
(--network-lock, 3.17); see `nftables_leftover` for what the default one does.
From 7.1 on CRIU up to 4.2 dumps no network namespace at all (https://github.com/checkpoint-restore/criu/issues/3002).
"""

from __future__ import annotations

from testinfra.host import Host

from harness.namespaces import check_apart
from harness.scenario import Facts, Needs, Scenario, Workload

SCENARIO = Scenario(
    command=("bin/nftables",),
    sources=("nftables.c",),
    tags=("object", "network", "namespace"),
    needs=Needs(
        packages=("nftables",),
        config=(
            "CONFIG_NET_NS",
            "CONFIG_NF_TABLES",
            "CONFIG_NF_TABLES_INET",
            "CONFIG_NFT_REDIR",
            "CONFIG_NFT_LIMIT",
        ),
        kernel="5.6",
    ),
    criu=("--network-lock=nftables",),
)

CORRUPTIONS = {
    "left": "in the host's own namespace: net:",
    "flushed": "blocked pair: the datagram came",
    "element": "ruleset: lost elements = { 127.0.0.2 . 9001",
    "counter": "ruleset: lost packets 1234 bytes 56789",
    "bypass": "mapped port: the datagram came",
}


def remember(host: Host, workload: Workload) -> Facts:
    """The workload's own words and the ruleset."""
    return workload.ask() | {"ruleset": listed(host, workload)}


def check(host: Host, workload: Workload, before: Facts) -> None:
    """The same rules, and they are in force: the latter last, because it makes the counter go on."""
    ruleset = listed(host, workload)
    check_apart(workload, {name: fact for name, fact in before.items() if name != "ruleset"}, "net")
    lost = [line for line in before["ruleset"] if line not in ruleset]
    gained = [line for line in ruleset if line not in before["ruleset"]]
    assert ruleset == before["ruleset"], f"ruleset: lost {'; '.join(lost)}, gained {'; '.join(gained)}"


def listed(host: Host, workload: Workload) -> list[str]:
    """The lines of `nft list ruleset` in the workload's network namespace."""
    text = host.run(f"nsenter -t {workload.pid} -n nft list ruleset").stdout
    return [line.strip() for line in text.splitlines() if line.strip()]
