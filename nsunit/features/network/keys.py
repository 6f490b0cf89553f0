"""The keys of [Container] about networks: what it is connected to, as whom, and what gets in."""

from __future__ import annotations

from nsunit.definition.setting import OLDEST, own
from nsunit.definition.values import Alone, size
from nsunit.definition.words import ValueProblem, wrong
from nsunit.features.namespaces.keys import network as namespace_of_network
from nsunit.features.namespaces.keys import wrong_parameters
from nsunit.features.network import connection as connections
from nsunit.features.network import parameters
from nsunit.features.network.connection import Connection, address, connection, mac_address, route
from nsunit.features.network.table import NETWORK
from nsunit.features.network.values import (
    EXPOSED,
    Connected,
    host_ports,
    ip_address,
    listened,
    mtu,
    of,
    published_ports,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row

_RATE_MIN = 8000


def _bits(text: str) -> int:
    """`Egress=`, as Rate= in systemd.network(5): bits in a second, suffixes are powers of 1000; returns bytes."""
    try:
        bits = size(text, 1000)
    except ValueProblem:
        raise wrong(text, "is not a rate", "bits in a second, with K, M or G for powers of 1000, e.g. 10M") from None
    if bits < _RATE_MIN:
        raise wrong(text, "is less than 8K, which is 8000 bits in a second", "a bare number counts bits; use 10M, say")
    return bits // 8


def _network(text: str) -> object:
    """`Network=`: a word that stands alone, or a `Connection`."""
    if text in ("none", "host", "pasta"):
        return Alone(text)
    if text == "private" or text.startswith(("container:", "path:")):
        return Alone(namespace_of_network(text))
    return connection(text)


def _rate(text: str, example: str) -> Row:
    return (_bits, False, "", "", OLDEST, True, "BITS", text, example)  # nsunit changes it on a running container


RATES: dict[str, Row] = {
    "Egress": _rate("What it may send by each interface, in bits per second.", "10M"),
    "Ingress": _rate("What it may receive by each interface, in bits per second.", "100M"),
}
CONNECTION: dict[str, Row] = {
    "Address": own(
        *(address, True, "ADDRESS[/LENGTH]"),
        *("Its address in the first Network=, of each family; with a length where that is a link.", "10.20.0.9"),
    ),
    "MACAddress": own(mac_address, False, "MAC", "MAC address in the first Network=.", "0a:58:00:01:02:03"),
    "Gateway": own(ip_address, True, "ADDRESS", "Router for its way out, in the first Network=.", "10.20.0.254"),
    "Route": own(
        *(route, True, "SUBNET [via ADDRESS]", "Route by the first Network=.", "10.5.0.0/16 via 10.20.0.253"),
    ),
    "MTU": own(mtu, False, "BYTES", "Size of the largest packet in the first Network=.", "1400"),
}
TABLES: dict[str, dict[str, Row]] = {
    "Container": {
        "Network": own(
            *(_network, True, "none|host|bridge|NAME|KIND:DEV|pasta|container:NAME|path:PATH"),
            "The networks it is connected to; or lo only; or, without root, pasta(1); or what is there already.",
            "none",
        ),
        "PublishPort": own(
            *(published_ports, True, "[ADDRESS:]HOST:CONTAINER[/PROTOCOL]…|all"),
            *("Ports of the host that lead into it; all: those that its image exposes.", "8080:80 [::]:5353:53/udp"),
        ),
        "HostPort": own(host_ports, True, "PORT[/PROTOCOL]…", "Ports of the host it may reach.", "5432 53/udp"),
        **CONNECTION,
        **RATES,
    },
    "Network": NETWORK,
}


def implied(values: list[tuple[str, Any]], uid: int) -> list[tuple[str, Any]]:
    """*values* with the network that published ports take, where none is named: that of users is pasta(1)."""
    given = dict(values)
    if "PublishPort" not in given or "Network" in given or "Pod" in given or given.get("Activation") == "fds":
        return values
    return [("Network", _network("pasta" if uid else "bridge")), *values]


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note where its network is from, and what it is connected to.

    Others take care of it where that is pasta(1) or a namespace that is there, and where sockets carry a port.
    """
    connected = connected_by(fields, values)
    said = [(key, value) for key, value in values if key in CONNECTION]
    if said and connected.connections:
        connected = connected.replace(connections=connections.with_keys(connected.connections, said))
    elif said:
        connected = connected.replace(unconnected=tuple(key for key, _ in said))
    extras = fields["extras"]
    extras["network"] = connected
    if fields.get("network") == "pasta":
        extras["pasta"] = None
    elif fields.get("network", "none") not in ("none", "host", "bridge"):
        extras.setdefault("namespaces", None)
    if any(port.address == "::1" for port in connected.published_ports):
        extras["activation"] = None


def connected_by(fields: dict[str, Any], values: list[tuple[str, Any]]) -> Connected:
    """What *values* say that containers and pods alike may have; networks add up, anything else stands alone."""
    found: tuple[Connection, ...] = ()
    for key, value in values:
        if key == "Network":
            alone = isinstance(value, str)
            fields["network"] = str(value) if alone else "bridge"
            found = () if alone else (*found, value)
    lists = {key: tuple(item for said, value in values if said == key for item in value) for key in _LISTS}
    numbers = dict(values)
    return Connected(
        found,
        published_ports=tuple(port for port in lists["PublishPort"] if port != EXPOSED),
        exposed=EXPOSED in lists["PublishPort"],
        host_ports=lists["HostPort"],
        egress=numbers.get("Egress", 0),
        ingress=numbers.get("Ingress", 0),
    )


_LISTS = ("PublishPort", "HostPort")


def check(container: Container, _name: str, _service: object) -> list[Contradiction]:
    """What does not go with its network; whether there is one depends on its pod, if it has one."""
    connected = of(container)
    found: list[Contradiction] = []
    if connected.exposed and not container.image:
        found.append(("PublishPort", "there is no Image= that could say what 'all' is", "name the ports"))
    if connected.exposed and listened(container).how:
        message = f"nobody knows yet what 'all' is when systemd listens with Activation={listened(container).how}"
        found.append(("PublishPort", message, "name the ports"))
    if container.network != "bridge" and not container.uses("pods"):
        found += _unconnected(container, connected)
    for key in connected.unconnected:
        if container.network == "pasta":
            found.append((key, "it is as on the host with Network=pasta", "leave it out"))
            continue
        hint = "add the Network= that it is about"
        found.append((key, f"there is no network with Network={container.network}", hint))
    if container.network == "host" and not container.uses("namespaces"):
        found += wrong_parameters(container)
    if container.network == "bridge":
        found += parameters.contradictions(container.sysctls, connected.connections)
    return found + contradictions(connected)


def contradictions(connected: Connected) -> list[Contradiction]:
    """What does not fit together, of a container or a pod."""
    found = connections.contradictions(connected.connections)
    if len({str(port) for port in connected.published_ports}) != len(connected.published_ports):
        found.append(("PublishPort", "a port of the host is published twice", "leave out one of the two"))
    return found


def _unconnected(container: Container, connected: Connected) -> list[Contradiction]:
    found: list[Contradiction] = []
    pasta = container.network == "pasta"
    hint = "leave it out" if pasta else "add Network=bridge, or leave it out"
    if pasta:
        found += [
            ("PublishPort", f"pasta(1) cannot publish {port}", "it knows tcp and udp only")
            for port in connected.published_ports
            if port.protocol not in ("tcp", "udp")
        ]
    elif (connected.published_ports or connected.exposed) and not listened(container).how:
        found.append(("PublishPort", f"ports cannot be published with Network={container.network}", hint))
    if connected.egress or connected.ingress:
        key = "Egress" if connected.egress else "Ingress"
        found.append((key, f"there is no link to be limited with Network={container.network}", hint))
    if connected.host_ports:
        found.append(("HostPort", f"there is nothing to open with Network={container.network}", hint))
    return found
