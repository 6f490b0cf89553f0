"""The rules for containers' networks, as nftables' JSON (libnftables-json(5)).  Pure.

All of it is in two tables of nsunit's own, `inet nsunit` and `bridge nsunit`.  The base chains are flushed and filled
again with each transaction, so whatever somebody did to them is mended by the next start.  What belongs to a container
is a chain called like its link in each table, and elements of maps that lead there.  Elements are removed by what they
are, rules would have to be listed to find their handles: so each start and each stop is one transaction.
"""

from __future__ import annotations

from nsunit import jsontext
from nsunit.addresses import is_six
from nsunit.features.network.model.attachment import PREFIX, SOCKET_MARK, link_local

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from nsunit.features.network.model.attachment import Attachment, Interface, Network
    from nsunit.features.network.model.port import Port

    Item = dict[str, Any]
    Key = tuple[str, str, list[tuple[str, object]]]

TABLE = "nsunit"
# priorities: dstnat, srcnat and filter of the inet family, and the first one of the bridge family
_BASE_CHAINS = (
    ("inet", "prerouting", "nat", "prerouting", -100),
    ("inet", "output", "nat", "output", -100),
    ("inet", "postrouting", "nat", "postrouting", 100),
    ("inet", "forward", "filter", "forward", 0),
    ("inet", "input", "filter", "input", 0),
    ("bridge", "prerouting", "filter", "prerouting", -300),
    ("bridge", "input", "filter", "input", 0),
)
_BURST_MIN = 256 * 1024
_PORT = ["inet_proto", "inet_service"]
# name, family, key, value
_MAPS = (
    ("published", "inet", _PORT, "verdict"),
    ("published4", "inet", ["ipv4_addr", *_PORT], "verdict"),
    ("published6", "inet", ["ipv6_addr", *_PORT], "verdict"),
    ("links", "bridge", "ifname", "verdict"),
    ("routers6", "bridge", "ifname", "ipv6_addr"),
)
_SETS = (
    ("bridges", "ifname"),
    ("internal", "ifname"),
    ("same-bridge", ["ifname", "ifname"]),
    ("host4", ["ipv4_addr", *_PORT]),
    ("host6", ["ipv6_addr", *_PORT]),
    ("servers4", ["ifname", "ipv4_addr"]),
    ("servers6", ["ifname", "ipv6_addr"]),
)
_KEYS: dict[str, Any] = {name: key for name, _, key, _ in _MAPS} | dict(_SETS)
_DNS = 53


def base() -> list[Item]:
    """The tables, the base chains and their rules; doing it again changes nothing."""
    items: list[Item] = [{"add": {"table": {"family": family, "name": TABLE}}} for family in ("inet", "bridge")]
    items += [_add("set", "inet", name=name, type=kind) for name, kind in _SETS]
    items += [_add("map", family, name=name, type=kind, map=value) for name, family, kind, value in _MAPS]
    items.append(_add("chain", "inet", name="published"))
    items.append({"flush": {"chain": {"family": "inet", "table": TABLE, "name": "published"}}})
    for family, chain, kind, hook, priority in _BASE_CHAINS:
        items.append(_add("chain", family, name=chain, type=kind, hook=hook, prio=priority, policy="accept"))
        items.append({"flush": {"chain": {"family": family, "table": TABLE, "name": chain}}})
    return [*items, *(_rule(family, chain, expression) for family, chain, expression in _base_rules())]


def _base_rules() -> list[tuple[str, str, list[Item]]]:
    to_host = _match("==", {"fib": {"result": "type", "flags": ["daddr"]}}, "local")
    from_bridge, to_bridge = (_match("==", _meta(key), "@bridges") for key in ("iifname", "oifname"))
    known = _match("in", {"ct": {"key": "state"}}, ["established", "related"])
    translated = _match("in", {"ct": {"key": "status"}}, "dnat")
    loopback = _match("==", _payload("ip", "saddr"), {"prefix": {"addr": "127.0.0.0", "len": 8}})
    loopback6 = _match("==", _payload("ip6", "saddr"), "::1")
    to_loopback4 = _match("==", _payload("ip", "daddr"), {"prefix": {"addr": "127.0.0.0", "len": 8}})
    control = _match("==", _meta("l4proto"), {"set": ["icmp", "ipv6-icmp"]})
    published = _match("==", {"socket": {"key": "mark"}}, SOCKET_MARK)
    outward = _match("!=", _meta("iifname"), "@internal")
    same_bridge = _match("==", {"concat": [_meta("iifname"), _meta("oifname")]}, "@same-bridge")
    # With br_netfilter a reply to ::1 is translated back while it is on the bridge already, and the kernel drops what
    # comes to ::1 by a link (ip6_rcv_core).  So it comes to the bridge's own address, and is for ::1 again after that.
    to_loopback = _match("==", _payload("ip6", "daddr"), "::1")
    of_loopback = _match("==", {"ct": {"dir": "original", "key": "ip6 saddr"}}, "::1")
    reply = _match("==", {"ct": {"key": "direction"}}, "reply")
    asks = _match("==", _payload("th", "dport"), _DNS)
    carries = _match("==", _meta("l4proto"), {"set": ["tcp", "udp"]})
    own: Item = {"map": {"key": _meta("iifname"), "data": "@routers6"}}
    refuse = {"reject": {"type": "icmpx", "expr": "admin-prohibited"}}
    accept: Item = {"accept": None}
    return [
        ("inet", "published", [_vmap(_ported(_payload("ip", "daddr")), "published4")]),
        ("inet", "published", [_vmap(_ported(_payload("ip6", "daddr")), "published6")]),
        ("inet", "published", [_vmap(_ported(), "published")]),
        # Of the host's own, which do not come this way, is what is for 127.0.0.1: by a link only a neighbour sends it,
        # and the kernel would drop it later, but for the address that it is given here.
        ("inet", "prerouting", [to_loopback4, {"return": None}]),
        ("inet", "prerouting", [to_host, _jump("published")]),
        ("inet", "output", [to_host, _jump("published")]),
        # Replies must come back through the host where the container would send them elsewhere: to itself for
        # 127.0.0.1 and ::1, straight to a neighbour for a published port.
        ("inet", "postrouting", [loopback, to_bridge, {"masquerade": None}]),
        ("inet", "postrouting", [loopback6, to_bridge, {"masquerade": None}]),
        ("inet", "postrouting", [from_bridge, to_bridge, translated, {"masquerade": None}]),
        ("inet", "postrouting", [from_bridge, _match("!=", _meta("oifname"), "@bridges"), {"masquerade": None}]),
        # Within one bridge: only seen here where br_netfilter is loaded.
        ("inet", "forward", [same_bridge, accept]),
        ("inet", "forward", [_match("==", _meta("iifname"), "@internal"), refuse]),
        ("inet", "forward", [_match("==", _meta("oifname"), "@internal"), refuse]),
        ("inet", "forward", [to_bridge, known, accept]),
        ("inet", "forward", [to_bridge, translated, accept]),
        ("inet", "forward", [to_bridge, refuse]),
        ("inet", "input", [from_bridge, reply, of_loopback, _set_destination("::1")]),
        ("inet", "input", [from_bridge, known, accept]),
        ("inet", "input", [from_bridge, control, accept]),
        ("inet", "input", [from_bridge, _match("==", _ported(_payload("ip", "saddr")), "@host4"), accept]),
        ("inet", "input", [from_bridge, _match("==", _ported(_payload("ip6", "saddr")), "@host6"), accept]),
        # Its network's server of names, by the bridge's own addresses.
        *(
            ("inet", "input", [carries, asks, _match("==", {"concat": [_meta("iifname"), to]}, f"@{name}"), accept])
            for name, to in (("servers4", _payload("ip", "daddr")), ("servers6", _payload("ip6", "daddr")))
        ),
        # Published, and listened on by systemd: as long as the socket is there, which carries the mark.
        ("inet", "input", [from_bridge, outward, published, accept]),
        ("inet", "input", [from_bridge, refuse]),
        ("bridge", "prerouting", [_vmap(_meta("iifname"), "links")]),
        ("bridge", "input", [to_loopback, _set_destination(own)]),
    ]


def attach(item: Attachment, *, new: bool = False) -> list[Item]:
    """What is the container's own, after `base` and the container's `detach`.

    A *new* one has none of it, and its bridges are in none of the sets of `misplaced`: so nothing is deleted, which
    the kernel would have whoever did it wait for.
    """
    items: list[Item] = []
    for interface in item.interfaces:
        items += _bridge(interface.network, new)
        items += _add_chains(interface.link, "create" if new else "add")
        items += [_rule("bridge", interface.link, expression) for expression in _honest(interface)]
        if item.egress:
            items.append(_rule("bridge", interface.link, _too_fast(item.egress)))
    where = chain_of_ports(item)
    items += [_rule("inet", where, expression) for port in led(item) for expression in _published(item, port)]
    return items + _elements("add", item)


def _memberships(network: Network) -> list[tuple[str, object, bool]]:
    """The sets that its bridge may be in: name, element, and whether it is."""
    bridge, served = network.bridge, network.gateways if network.dns else ()
    return [
        ("bridges", bridge, True),
        ("same-bridge", {"concat": [bridge, bridge]}, not network.isolated),
        ("internal", bridge, network.internal),
        *((f"servers{6 if is_six(own) else 4}", {"concat": [bridge, own]}, True) for own in served),
    ]


def _bridge(network: Network, new: bool) -> list[Item]:
    """The sets that its bridge is in; its definition may have changed since it was made."""
    items = []
    for name, element, wanted in _memberships(network):
        if wanted or not new:
            items.append(_add("element", "inet", name=name, elem=[element]))
        if not wanted and not new:
            where = {"family": "inet", "table": TABLE, "name": name, "elem": [element]}
            items.append({"delete": {"element": where}})
    return items


def misplaced(item: Attachment) -> list[Key]:
    """The elements of sets, as in `keys`, that would be there if a bridge of *item*'s was another network's once."""
    return [
        _key("inet", name, element)
        for interface in item.interfaces
        for name, element, wanted in _memberships(interface.network)
        if not wanted
    ]


def detach(item: Attachment) -> list[Item]:
    """What removes it, after `base`.  All is added once more before: nft refuses to delete what is not there."""
    chains = [{"family": family, "table": TABLE, "name": link} for link in item.links for family in ("inet", "bridge")]
    return [
        *(added for link in item.links for added in _add_chains(link)),
        *_elements("add", item),
        *_elements("delete", item),
        *({"flush": {"chain": chain}} for chain in chains),
        *({"delete": {"chain": chain}} for chain in chains),
    ]


def chain_of_ports(item: Attachment) -> str:
    """The chain with the container's published ports: that of its first link."""
    return item.links[0]


def _add_chains(link: str, verb: str = "add") -> list[Item]:
    return [{verb: {"chain": {"family": family, "table": TABLE, "name": link}}} for family in ("inet", "bridge")]


def _elements(verb: str, item: Attachment) -> list[Item]:
    """The elements of maps and sets that are *item*'s, to be added or deleted."""
    return [
        {verb: {"element": {"family": family, "table": TABLE, "name": name, "elem": [element]}}}
        for family, name, element in _owned(item)
    ]


def keys(item: Attachment) -> list[Key]:
    """The elements that are *item*'s: family, map or set, and the parts of the key, each with its type."""
    return [_key(*owned) for owned in _owned(item)]


def _key(family: str, name: str, element: object) -> Key:
    value = element[0] if isinstance(element, list) else element
    parts = value["concat"] if isinstance(value, dict) else [value]
    types = _KEYS[name] if isinstance(_KEYS[name], list) else [_KEYS[name]]
    return family, name, list(zip(types, parts, strict=True))


def led(item: Attachment) -> tuple[Port, ...]:
    """The ports that the firewall leads into the container."""
    return tuple(port for port in item.ports if not port.listened)


def _owned(item: Attachment) -> list[tuple[str, str, object]]:
    found: list[tuple[str, str, object]] = [("bridge", "links", [link, _jump(link)]) for link in item.links]
    for interface in item.interfaces:
        if leads_out(interface.network):
            routers = (gate for gate in interface.network.gateways if is_six(gate))
            found += [("bridge", "routers6", [interface.link, router]) for router in routers]
    for port in led(item):
        address = [port.address] if port.address else []
        name = "published" + ("" if not address else "6" if ":" in port.address else "4")
        jump = _jump(chain_of_ports(item))
        found.append(("inet", name, [{"concat": [*address, port.protocol, port.host]}, jump]))
    for number, protocol in item.host_ports:
        for family, own in (pair for interface in item.interfaces for pair in interface.by_family):
            found.append(("inet", "host" + ("6" if family == "ip6" else "4"), {"concat": [own, protocol, number]}))
    return found


def forget(network: Network) -> list[Item]:
    """What takes the bridge of *network*, which is gone, out of the sets, after `base`."""
    items = []
    for name, element, _ in _memberships(network):
        where = {"family": "inet", "table": TABLE, "name": name, "elem": [element]}
        items += [{"add": {"element": where}}, {"delete": {"element": where}}]
    return items


def stale(listed: Iterable[Item], links: set[str]) -> list[Item]:
    """What removes all that belongs to containers whose links are not among *links*, given what nft lists."""
    elements: list[Item] = []
    chains: list[Item] = []
    for entry in listed:
        found = entry.get("map", {})
        for element in found.get("elem", ()):
            key, value = element
            if (value["jump"]["target"] if isinstance(value, dict) else key) not in links:
                where = {"family": found["family"], "table": TABLE, "name": found["name"], "elem": [element]}
                elements.append({"delete": {"element": where}})
        chain = entry.get("chain")
        if chain and chain["name"].startswith(PREFIX) and chain["name"] not in links:
            where = {"family": chain["family"], "table": TABLE, "name": chain["name"]}
            chains += [{"flush": {"chain": where}}, {"delete": {"chain": where}}]
    return elements + chains


def remove(listed: Iterable[Item]) -> list[Item]:
    """What removes both tables, as far as nft lists them."""
    return [
        {"delete": {"table": {"family": entry["table"]["family"], "name": TABLE}}}
        for entry in listed
        if entry.get("table", {}).get("name") == TABLE
    ]


class Listed:
    """What is in nft's list, read once for all the containers that are compared with it.

    *chains* are those with rules in them, and *elements* those of the sets and maps.
    """

    def __init__(self, listed: Iterable[Item]) -> None:
        self.chains: set[tuple[str, str]] = set()
        self.elements: set[tuple[str, str, str]] = set()
        for entry in listed:
            if "rule" in entry:
                self.chains.add((entry["rule"]["family"], entry["rule"]["chain"]))
            found = entry.get("map") or entry.get("set")
            if found:
                self.elements |= {_element(found["family"], found["name"], item) for item in found.get("elem", ())}

    def is_whole(self, item: Attachment) -> bool:
        """Whether all is there that *item* needs."""
        chains = {("bridge", link) for link in item.links}
        chains |= {("inet", chain_of_ports(item))} if led(item) else set()
        return {_element(*owned) for owned in _owned(item)} <= self.elements and chains <= self.chains

    def has_base(self) -> bool:
        """Whether all base chains are there, with rules in them."""
        return all((family, chain) in self.chains for family, chain, *_ in _BASE_CHAINS)


def _element(family: str, name: str, element: object) -> tuple[str, str, str]:
    return family, name, jsontext.dumps(element)


def _published(item: Attachment, port: Port) -> list[list[Item]]:
    found = []
    for family, address in first_by_family(item):
        if port.address and (":" in port.address) != (family == "ip6"):
            continue
        expression = [_match("==", _payload(port.protocol, "dport"), port.host)]
        if port.address:
            expression.insert(0, _match("==", _payload(family, "daddr"), port.address))
        else:
            expression.insert(0, _match("==", _meta("nfproto"), "ipv6" if family == "ip6" else "ipv4"))
        found.append([*expression, {"dnat": {"family": family, "addr": address, "port": port.container}}])
    return found


def _honest(interface: Interface) -> list[list[Item]]:
    """Drop what does not carry the container's own addresses, and what is neither IP nor ARP."""
    drop: Item = {"drop": None}
    kind: Item = _payload("ether", "type")
    mac, addresses = interface.mac, dict(interface.by_family)
    rules: list[list[Item]] = [
        [_match("!=", _payload("ether", "saddr"), mac), drop],
        [_match("!=", kind, {"set": ["arp", "ip", "ip6"]}), drop],
    ]
    if "ip" in addresses:
        rules.append([_match("!=", _payload("arp", "saddr ip"), addresses["ip"]), drop])
        rules.append([_match("!=", _payload("arp", "saddr ether"), mac), drop])
        rules.append([_match("!=", _payload("ip", "saddr"), addresses["ip"]), drop])
    else:
        rules.append([_match("==", kind, {"set": ["arp", "ip"]}), drop])
    own = [link_local(mac), "::", *([addresses["ip6"]] if "ip6" in addresses else [])]
    rules.append([_match("!=", _payload("ip6", "saddr"), {"set": own}), drop])
    # Nobody in there is a router (CVE-2020-10749).
    rules.append([_match("==", _payload("icmpv6", "type"), "nd-router-advert"), drop])
    return rules


def _too_fast(rate: int) -> list[Item]:
    """Drop what comes faster than *rate* bytes in a second, where it is not held back as it should have been.

    A packet may be as large as what segmentation offload puts together, and an average needs room for several.
    """
    limit = {"rate": rate, "rate_unit": "bytes", "per": "second", "inv": True}
    return [{"limit": {**limit, "burst": max(rate // 4, _BURST_MIN), "burst_unit": "bytes"}}, {"drop": None}]


def leads_out(network: Network) -> bool:
    """Whether the host passes connections from the world on to *network*: not where the world is not to, or it is."""
    return not network.internal and not network.vlan


def first_by_family(item: Attachment) -> list[tuple[str, str]]:
    """Where ports lead to: the first address of each family that the world can have a connection with."""
    found: dict[str, str] = {}
    for interface in item.interfaces:
        if leads_out(interface.network):
            for family, address in interface.by_family:
                found.setdefault(family, address)
    return list(found.items())


def _ported(*first: Item) -> Item:
    return {"concat": [*first, _meta("l4proto"), _payload("th", "dport")]}


def _vmap(key: Item, name: str) -> Item:
    return {"vmap": {"key": key, "data": "@" + name}}


def _add(kind: str, family: str, **fields: object) -> Item:
    return {"add": {kind: {"family": family, "table": TABLE, **fields}}}


def _rule(family: str, chain: str, expression: list[Item]) -> Item:
    return {"add": {"rule": {"family": family, "table": TABLE, "chain": chain, "expr": expression}}}


def _match(operator: str, left: Item, right: object) -> Item:
    return {"match": {"op": operator, "left": left, "right": right}}


def _meta(key: str) -> Item:
    return {"meta": {"key": key}}


def _set_destination(value: object) -> Item:
    return {"mangle": {"key": _payload("ip6", "daddr"), "value": value}}


def _payload(protocol: str, field: str) -> Item:
    return {"payload": {"protocol": protocol, "field": field}}


def _jump(chain: str) -> Item:
    return {"jump": {"target": chain}}
