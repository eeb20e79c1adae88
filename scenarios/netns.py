"""A network namespace with a second one inside: veth, bridge, addresses, routes, rules, settings.

A bridge with a port; veth pairs within the namespace, and one whose far end is in a child's own; addresses of both
families with labels and scopes, routes (blackhole, gateway, metric), rules, and settings below /proc/sys/net that CRIU
carries. Compared as iproute2 shows them; one datagram must get through to the child.
Left out: a bridge's own settings (`netns_bridge`); routes over a device without a carrier (`netns_linkdown`); what CRIU
never saves, such as neighbours; devices that it refuses, dummy among them ("Unsupported link 3 (type 1 kind dummy)",
CRIU 4.1.1).

Leans on rtnetlink, `ip address|route|rule save` of iproute2, IFLA_LINK_NETNSID (4.0), and IFLA_NEW_IFINDEX (5.13).
Drivers veth and bridge are loaded by the kernel when asked for. From 7.1 on CRIU up to 4.2 dumps no network
namespace at all (https://github.com/checkpoint-restore/criu/issues/3002).
"""

from __future__ import annotations

import json
import shlex
from typing import Any

from testinfra.host import Host

from harness.namespaces import check_apart
from harness.scenario import Facts, Needs, Scenario, Workload

SCENARIO = Scenario(
    command=("bin/netns",),
    sources=("netns.c",),
    tags=("object", "network", "namespace"),
    needs=Needs(
        packages=("iproute2",),
        config=("CONFIG_NET_NS", "CONFIG_VETH", "CONFIG_BRIDGE", "CONFIG_IP_MULTIPLE_TABLES"),
    ),
)

CORRUPTIONS = {
    "left": "in the host's own namespace: net:",
    "address": "parent_address: lost .*10.9.8.7",
    "route": "parent_route: .*gained .*10.9.8.2",
    "rule": "parent_rule: lost .*priority=1000",
    "port": "parent_link: lost .*master=bridge0",
    "wire": "what came over the wire: is '0 |wire: nothing can be sent",
    "setting": "rp_filter: is '0', expected '2'",
}

# What tells one object of a kind from another and may not change; neither counters nor times.
LINK = ("ifname", "ifindex", "mtu", "address", "master", "flags", "link", "operstate")
ADDRESS = ("family", "local", "prefixlen", "broadcast", "scope", "label")
ROUTE = ("type", "dst", "gateway", "dev", "table", "protocol", "scope", "metric", "prefsrc", "flags")
RULE = ("priority", "src", "srclen", "dst", "dstlen", "table", "action")
SPACES = ("parent", "child")
ASKED = ("-details address", "route show table main", "-6 route show table main", "rule")
END = "---"


def remember(host: Host, workload: Workload) -> Facts:
    """The workload's own words and what iproute2 shows in both namespaces."""
    facts = workload.ask()
    found = shown(host, workload.pid, "parent") | shown(host, facts["partner"], "child")
    silent = [
        name for name in ("parent_address", "parent_route", "parent_rule", "child_address") if not found[name]
    ]
    assert silent == [], f"iproute2 shows none of what was made: {silent}"
    return facts | found


def check(host: Host, workload: Workload, before: Facts) -> None:
    """The same objects as before, then that they work."""
    names = [name for name in before if name.startswith(SPACES)]
    own = {name: fact for name, fact in before.items() if name not in names}
    after = shown(host, workload.pid, "parent") | shown(host, before["partner"], "child")
    check_apart(workload, own, "net")
    changed = [difference(name, before[name], after[name]) for name in names if before[name] != after[name]]
    assert changed == [], "; ".join(changed)


def difference(name: str, before: list[str], after: list[str]) -> str:
    """What a fact has lost and gained: all of it would be too long to read."""
    lost = [line for line in before if line not in after]
    gained = [line for line in after if line not in before]
    return f"{name}: lost {lost}, gained {gained}"


def shown(host: Host, pid: int, who: str) -> Facts:
    """The links, addresses, routes and rules of a process's network namespace."""

    # one shell for all: under emulation nsenter and a shell take longer than what they start
    script = "; ".join(f"ip -json {words}; echo {END}" for words in ASKED)
    said = host.run(f"nsenter -t {pid} -n sh -c {shlex.quote(script)}").stdout.split(f"{END}\n")
    links, routes, routes6, rules = map(objects, (said + len(ASKED) * [""])[: len(ASKED)])
    addresses = [dict(entry, dev=link["ifname"]) for link in links for entry in link["addr_info"]]
    return {
        f"{who}_link": [*picked(links, LINK), kinds(links)],
        f"{who}_address": picked(addresses, (*ADDRESS, "dev")),
        f"{who}_route": picked(routes + routes6, ROUTE),
        f"{who}_rule": picked(rules, RULE),
    }


def objects(said: str) -> list[dict[str, Any]]:
    """What an `ip` has listed: nothing if there is none, or if it failed."""
    try:
        found: list[dict[str, Any]] = json.loads(said)
    except ValueError:
        return []
    return found


def picked(entries: list[dict[str, Any]], names: tuple[str, ...]) -> list[str]:
    """Entries as text, with the named fields alone, in an order of their own."""
    return sorted(" ".join(f"{name}={entry[name]}" for name in names if name in entry) for entry in entries)


def kinds(links: list[dict[str, Any]]) -> str:
    """What kind of device each link is."""
    found = ((link["ifname"], link.get("linkinfo", {}).get("info_kind", "")) for link in links)
    return " ".join(sorted(f"{name}:{kind}" for name, kind in found))
