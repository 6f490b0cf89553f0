"""What a container is connected to: `Network=` with its options, and the keys that say the same of the first one."""

from __future__ import annotations

from nsunit.addresses import canonical, is_six, is_special, parse_subnet, plain
from nsunit.definition.values import is_digits
from nsunit.definition.words import wrong
from nsunit.features.network.model.port import MTU_MIN_SIX
from nsunit.features.network.table import link_name, vlan
from nsunit.features.network.values import ip_address, mtu
from nsunit.names import NETWORKS_OF_NSUNIT, is_valid_network
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from nsunit.definition.container import Contradiction

BRIDGE = "bridge"
# How the link of each kind is named in Network=.
_DEVICES: dict[str, Callable[[str], str]] = {
    "macvlan": link_name,
    "ipvlan": link_name,
    "vlan": vlan,
    "veth": link_name,
    "phys": link_name,
}
_LINKS = ", ".join(f"{kind}:DEV" + (".ID" if kind == "vlan" else "") for kind in _DEVICES)
_ELSEWHERE = {"alias": "use NetworkAlias=", "ip": "use address=", "ip6": "use address="}  # of podman --network
_HINT = f"use none, host, bridge, the name of a NAME.network.nsunit, {_LINKS}, container:NAME or path:/…"


class Connection(Record):
    """One interface of a container: `target` is a network where `kind` is bridge, else a link of the host.

    `addresses` have prefix lengths where it is a link.  `routes` are `SUBNET` or `SUBNET via ADDRESS`.
    """

    target: str
    kind: str = BRIDGE
    addresses: tuple[str, ...] = ()
    mac: str = ""
    gateways: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    mtu: int = 0  # 0 for that of the network or the link

    def __str__(self) -> str:
        return self.target if self.kind == BRIDGE else f"{self.kind}:{self.target}"


def connection(text: str) -> Connection:
    """`NAME[:OPTION=VALUE,…]` or `KIND:DEV[:OPTION=VALUE,…]`."""
    where, _, options = text.partition(":")
    kind = BRIDGE
    if where in _DEVICES:
        kind = where
        where, _, options = options.partition(":")
        if not where:
            raise wrong(text, "does not say which link of the host", f"links are {_LINKS}")
        where = _DEVICES[kind](where)
    elif text == "slirp4netns":
        raise wrong(text, "is not what containers are connected by", "use Network=pasta, which needs no root either")
    elif where != NETWORKS_OF_NSUNIT[-1] and not is_valid_network(where):
        several = len(where.split()) > 1 or "," in where
        raise wrong(where, "is not the name of a network", "one Network= for each network" if several else _HINT)
    fields: dict[str, Any] = {}
    for option in options.split(",") if options else ():
        name, equals, value = option.partition("=")
        if name not in _OPTIONS or not equals:
            hint = _ELSEWHERE.get(name) or f"options are {', '.join(f'{key}=' for key in _OPTIONS)}; links are {_LINKS}"
            raise wrong(option, "is not an option of a network", hint)
        take(fields, _OPTIONS[name], _PARSERS[_OPTIONS[name]](value))
    return Connection(where, kind, **fields)


def take(fields: dict[str, Any], key: str, value: object) -> None:
    """Note what *key* of [Container] says; lists add up."""
    field = FIELDS[key]
    fields[field] = (*fields.get(field, ()), value) if key in _ADDING else value


def with_keys(connections: tuple[Connection, ...], given: list[tuple[str, object]]) -> tuple[Connection, ...]:
    """*connections* with what keys of [Container] say of the first one; lists add to its options."""
    first, *others = connections
    fields = {name: getattr(first, name) for name in FIELDS.values()}
    for key, value in given:
        take(fields, key, value)
    return (first.replace(**fields), *others)


def mac_address(text: str) -> str:
    """`0a:58:00:01:02:03`, an address of one link: not that of a group, and not all zero."""
    octets = text.lower().split(":")
    hexadecimal = set("0123456789abcdef")
    if len(octets) != 6 or any(len(octet) != 2 or not hexadecimal.issuperset(octet) for octet in octets):
        raise wrong(text, "is not a MAC address", "e.g. 0a:58:00:01:02:03")
    if int(octets[0], 16) & 1 or set(octets) == {"00"}:
        raise wrong(text, "is not the address of one link", "the first octet is even, 02 for instance")
    return ":".join(octets)


def address(text: str) -> str:
    """`10.1.2.3` or `10.1.2.3/24`."""
    where, slash, length = text.partition("/")
    found = ip_address(where)
    if is_special(found):
        raise wrong(text, "is not an address that a host can have", "not 0.x, loopback, or that of a group")
    most = 128 if is_six(where) else 32
    if not slash:
        return found
    if not is_digits(length) or len(length) > 3 or not 1 <= int(length) <= most:
        raise wrong(text, "has no valid prefix length", f"use 1 to {most}")
    return f"{found}/{int(length)}"


def route(text: str) -> str:
    """`SUBNET` or `SUBNET via ADDRESS`, as ip-route(8) has it."""
    where, via, gateway = text.partition(" via ")
    if where.strip() == "default":
        raise wrong(text, "is not a route but the way out", "use Gateway=, or gateway= of a further network")
    try:
        subnet = parse_subnet(where.strip())
        router = canonical(gateway.strip()) if via else ""
    except ValueError:
        raise wrong(text, "is not SUBNET or SUBNET via ADDRESS", "e.g. 10.5.0.0/16 via 10.1.2.254") from None
    if router and is_six(router) != subnet.six:
        raise wrong(text, "has addresses of different families")
    return f"{subnet} via {router}" if router else str(subnet)


_PARSERS: dict[str, Callable[[str], object]] = {
    "Address": address,
    "MACAddress": mac_address,
    "Gateway": ip_address,
    "Route": route,
    "MTU": mtu,
}
_ADDING = ("Address", "Gateway", "Route")
FIELDS = {"Address": "addresses", "MACAddress": "mac", "Gateway": "gateways", "Route": "routes", "MTU": "mtu"}
_OPTIONS = {"address": "Address", "mac": "MACAddress", "gateway": "Gateway", "route": "Route", "mtu": "MTU"}


def interface_names(connections: Sequence[Connection]) -> tuple[str, ...]:
    """What the interfaces of *connections* are called inside.

    A link that moves in keeps its name, so that it has it when it comes back.
    """
    return tuple(item.target if item.kind == "phys" else f"eth{place}" for place, item in enumerate(connections))


def contradictions(connections: tuple[Connection, ...]) -> list[Contradiction]:
    """Return what does not fit together, as (key to blame, message, hint)."""
    found: list[Contradiction] = []
    names = [str(item) for item in connections]
    if len(set(names)) != len(names):
        found.append(("Network", "a network is named twice", "each is joined once"))
    for item in connections:
        found += [("Network", f"{item}: {message}", hint) for message, hint in _mistakes(item)]
    return found


def _mistakes(item: Connection) -> list[tuple[str, str]]:
    found = []
    for own in item.addresses:
        if item.kind == BRIDGE and "/" in own:
            found.append((f"address '{own}' has a prefix length, which is the network's", f"use {plain(own)}"))
        elif item.kind != BRIDGE and "/" not in own:
            found.append((f"address '{own}' needs a prefix length", f"e.g. {own}/{64 if is_six(own) else 24}"))
    families = [is_six(own) for own in item.addresses]
    if item.kind == BRIDGE and len(set(families)) != len(families):
        found.append(("there can be one address of each family", "leave out the others"))
    if item.mtu and item.mtu < MTU_MIN_SIX and any(families):
        found.append((f"IPv6 needs an MTU of {MTU_MIN_SIX}", "use more, or addresses of IPv4 only"))
    if item.mac and item.kind in ("ipvlan", "phys"):
        found.append(("the MAC address is that of the link", "leave it out, or use macvlan:"))
    if item.mtu and item.kind == "phys":
        found.append(("the MTU is that of the link", "leave it out"))
    return found
