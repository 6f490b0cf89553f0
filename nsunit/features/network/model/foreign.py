"""Other firewalls on the host that drop what containers send, and what lets it through.  Pure.

What is forwarded counts, and what comes to the host itself from networks that have a server of names there.

A packet has to be accepted by every table that looks at it: what nsunit's own accepts, another one may still drop.
nsunit does not change tables that are not its own, but tells of them.
"""

from __future__ import annotations

from nsunit import jsontext
from nsunit.features.network.model.firewall import TABLE
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from nsunit.features.network.model.attachment import Network

    Item = dict[str, Any]

_FAMILIES = {"inet": (4, 6), "ip": (4,), "ip6": (6,)}
_IPTABLES = {"ip": "iptables", "ip6": "ip6tables"}
# The chains of others by which they are known, and the command that opens them to a bridge.
_UFW = "ufw route allow in on {bridge} && ufw route allow out on {bridge}"
_UFW_INPUT = "ufw allow in on {bridge} to any port 53"
_FIREWALLD = "firewall-cmd --zone=trusted --add-interface={bridge} && firewall-cmd --runtime-to-permanent"
_DOCKER = "{iptables} -I DOCKER-USER -i {bridge} -j ACCEPT && {iptables} -I DOCKER-USER -o {bridge} -j ACCEPT"
_NFT_INPUT = "nft insert rule {family} {table} {chain} iifname {bridge} accept"
_NFT = (
    "nft insert rule {family} {table} {chain} iifname {bridge} accept"
    " && nft insert rule {family} {table} {chain} oifname {bridge} accept"
)


class Obstacle(Record):
    """A chain of somebody else's that drops what comes to *hook*, forward or input, unless a rule accepts it."""

    family: str
    table: str
    chain: str
    remedy: str  # a command, with {bridge} in it
    hook: str = "forward"
    ending: str = ""  # of the names of the chains with rules about that, where the table has others as well


def obstacles(chains: Iterable[Item]) -> tuple[Obstacle, ...]:
    """What there is of them among all *chains* of the host, as `nft -j list chains` shows them."""
    found = [entry["chain"] for entry in chains if "chain" in entry]
    names = {(chain["family"], chain["table"], chain["name"]) for chain in found}
    obstructing = []
    for chain in found:
        family, table, name = chain["family"], chain["table"], chain["name"]
        hook, ending = chain.get("hook"), ""
        if hook not in ("forward", "input") or table == TABLE or family not in _FAMILIES:
            continue
        firewalld = table == "firewalld"  # its chain ends with a rule that rejects the rest
        if chain.get("type") != "filter" or not (chain.get("policy") == "drop" or firewalld):
            continue
        if firewalld:
            remedy = _FIREWALLD
        elif (family, table, "ufw-user-forward") in names or (family, table, "ufw6-user-forward") in names:
            remedy, ending = (_UFW if hook == "forward" else _UFW_INPUT), f"-{hook}"
        elif hook == "forward" and (family, table, "DOCKER-USER") in names:
            remedy = _DOCKER.replace("{iptables}", _IPTABLES.get(family, "iptables"))
        else:
            remedy = _NFT if hook == "forward" else _NFT_INPUT
            remedy = remedy.replace("{family}", family).replace("{table}", table).replace("{chain}", name)
        obstructing.append(Obstacle(family, table, name, remedy, hook, ending))
    return tuple(obstructing)


def concerns(obstacle: Obstacle, network: Network, listed: Iterable[Item]) -> bool:
    """Whether *obstacle* is in the way of *network*, given all that is in its table.

    It is not where a rule says something of the bridge or of its subnets: somebody has thought of them.
    """
    families = {6 if ":" in subnet else 4 for subnet in network.subnets}
    passes = network.dns if obstacle.hook == "input" else not network.internal
    if not passes or not families & set(_FAMILIES[obstacle.family]):
        return False
    known = [jsontext.dumps(network.bridge), *(jsontext.dumps(subnet.partition("/")[0]) for subnet in network.subnets)]
    about = (entry for entry in listed if entry.get("rule", {}).get("chain", "").endswith(obstacle.ending))
    rules = (jsontext.dumps(entry) for entry in about if "rule" in entry or "set" in entry or "map" in entry)
    return not any(word in rule for rule in rules for word in known)


def describe(obstacle: Obstacle, network: Network) -> str:
    """Say it in one line."""
    remedy = obstacle.remedy.replace("{bridge}", network.bridge)
    what = "forward" if obstacle.hook == "forward" else "ask the server of names"
    return (
        f"the firewall's chain '{obstacle.family} {obstacle.table} {obstacle.chain}' drops what containers on"
        f" '{network.bridge}' {what}; let them through with '{remedy}'"
    )
