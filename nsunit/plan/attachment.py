"""How a container is attached to a network: names, addresses and ports.  Pure.

The record travels as JSON in the container's network directory: the program that makes the links reads it there, and
so does whoever has to know which addresses and ports are taken.  There is no other register.
"""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum

from nsunit.definition.values_network import Port
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Sequence
    from typing import Any

INTERFACE = "eth0"  # inside
PREFIX = "nv-"  # of the host's ends
FIRST_HOST, LAST_HOST = 2, 254  # host numbers of containers in a /24; 1 is the bridge's


class Network(Record):
    """A bridge with a /24 of IPv4 and, unless empty, a /64 of IPv6; both prefixes end where the host number goes."""

    name: str
    bridge: str
    prefix4: str  # "10.91.0."
    prefix6: str = ""  # "fd12:3456:789a::"
    mtu: int = 1500

    def addresses(self, number: int) -> tuple[str, ...]:
        """The addresses of host *number*, with their prefix lengths."""
        found = (f"{self.prefix4}{number}/24",)
        return (*found, f"{self.prefix6}{number:x}/64") if self.prefix6 else found


class Attachment(Record):
    """One container in one network."""

    container: str
    network: Network
    number: int
    link: str  # the host's end of the veth pair, also the name of its firewall chains
    mac: str
    ports: tuple[Port, ...] = ()
    host_ports: tuple[tuple[int, str], ...] = ()  # services of the host it may reach

    @property
    def addresses(self) -> tuple[str, ...]:
        """The container's addresses, with their prefix lengths."""
        return self.network.addresses(self.number)

    @property
    def gateways(self) -> tuple[str, ...]:
        """The bridge's addresses, without prefix lengths."""
        return tuple(address.partition("/")[0] for address in self.network.addresses(1))


def attachment(
    container: str,
    network: Network,
    number: int,
    digest: str,
    ports: tuple[Port, ...],
    host_ports: tuple[tuple[int, str], ...],
) -> Attachment:
    """Attach *container* as host *number*; *digest*, in hexadecimal, names its link, which has 15 characters at most.

    The link-layer address is a locally administered one made from the IPv4 address, so it is as unique as that.
    """
    octets = _socket.inet_pton(_socket.AF_INET, f"{network.prefix4}{number}")
    mac = ":".join(f"{octet:02x}" for octet in (0x0A, 0x58, *octets))
    return Attachment(container, network, number, PREFIX + digest[:12], mac, ports, host_ports)


def link_local(mac: str) -> str:
    """The IPv6 link-local address that the kernel makes from a link-layer address (RFC 4291, EUI-64)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    identifier = bytes((octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]))
    return _socket.inet_ntop(_socket.AF_INET6, b"\xfe\x80" + bytes(6) + identifier)


def choose_number(preferred: int | None, running: Container[int], remembered: Container[int]) -> int | None:
    """The host number for a container: its last one while that is free, else one nobody had, else one nobody uses.

    None if all are in use.
    """
    if preferred is not None and preferred not in running:
        return preferred
    numbers = range(FIRST_HOST, LAST_HOST + 1)
    unused = [number for number in numbers if number not in running]
    return next((number for number in unused if number not in remembered), unused[0] if unused else None)


def clash(port: Port, others: Sequence[Attachment]) -> str | None:
    """The name of the container among *others* that publishes *port* already."""
    for other in others:
        for taken in other.ports:
            same = (taken.host, taken.protocol) == (port.host, port.protocol)
            if same and (not taken.address or not port.address or taken.address == port.address):
                return other.container
    return None


def to_json(item: Attachment) -> dict[str, Any]:
    """*item* as JSON's types."""
    return {
        "container": item.container,
        "network": dict(zip(item.network._fields, item.network._values(), strict=True)),
        "number": item.number,
        "link": item.link,
        "mac": item.mac,
        "ports": [list(port._values()) for port in item.ports],
        "host_ports": [list(pair) for pair in item.host_ports],
    }


def from_json(data: dict[str, Any]) -> Attachment:
    """Read what `to_json` made.

    Raises:
        KeyError, TypeError: it is something else.
    """
    return Attachment(
        data["container"],
        Network(**data["network"]),
        data["number"],
        data["link"],
        data["mac"],
        tuple(Port(*port) for port in data["ports"]),
        tuple((number, protocol) for number, protocol in data["host_ports"]),
    )
