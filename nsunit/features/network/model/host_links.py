"""What the host has of bridges and links, against what networks and containers need of it.  Pure."""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum

from nsunit.addresses import is_six
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.features.network.model.attachment import Attachment, Interface, Network


class Link(Record):
    """A link: its number, that of the bridge it is on (0 for none), and whether other ports are kept from it."""

    index: int
    up: bool = True
    master: int = 0
    isolated: bool = False


class HostLinks(Record):
    """What the host has: links by name; addresses, each with the number of its link, in network byte order and with
    its prefix length; the numbers of the links by which ::1 is reached; and parameters below /proc/sys/net.
    """

    links: dict[str, Link]
    addresses: frozenset[tuple[int, bytes, int]]
    loopback: frozenset[int]
    sysctls: dict[str, str]

    def is_on(self, link: str, bridge: str) -> bool:
        """Whether both are there, and one is a port of the other."""
        there = self.links
        return link in there and bridge in there and there[link].master == there[bridge].index


def wrong_network(network: Network, host: HostLinks) -> list[str]:
    """What *host* lacks for *network* as a whole, one line each."""
    bridge, uplink = network.bridge, network.uplink
    link = host.links.get(bridge)
    if link is None:
        return [f"the bridge '{bridge}' is gone"]
    wrong = [] if link.up else [f"the bridge '{bridge}' is down"]
    for address in network.own_addresses:
        if (link.index, *packed(address)) not in host.addresses:
            wrong.append(f"the bridge '{bridge}' has lost the address {address}")
    if network.returns_to_loopback and link.index not in host.loopback:
        wrong.append(f"replies to ::1 do not come in by the bridge '{bridge}' any more")
    if uplink and not host.is_on(uplink, bridge):
        wrong.append(f"the bridge '{bridge}' is not connected to VLAN {network.vlan}")
    elif uplink and not host.links[uplink].up:
        wrong.append(f"the link '{uplink}' of VLAN {network.vlan} is down")
    for name, value in network.sysctls:
        if host.sysctls[name] != value:
            wrong.append(f"the sysctl 'net/{name}' is '{host.sysctls[name]}' and not '{value}'")
    return wrong


def wrong_interface(interface: Interface, host: HostLinks) -> list[str]:
    """What is wrong with the host's end of *interface*, whose bridge is there; one line each."""
    link = host.links.get(interface.link)
    if link is None:
        return [f"the link '{interface.link}' is gone"]
    if not host.is_on(interface.link, interface.network.bridge):
        return [f"the link '{interface.link}' is not on the bridge"]
    wrong = [] if link.up else [f"the link '{interface.link}' is down"]
    if interface.network.isolated and not link.isolated:
        wrong.append(f"the link '{interface.link}' is not isolated from its neighbours any more")
    return wrong


def has_lost(item: Attachment, host: HostLinks) -> bool:
    """Whether a link of *item* is gone: the other end has gone with it."""
    return any(link not in host.links for link in item.links)


def packed(address: str) -> tuple[bytes, int]:
    """An *address* with a prefix length as the kernel tells it."""
    plain, _, length = address.partition("/")
    return _socket.inet_pton(_socket.AF_INET6 if is_six(plain) else _socket.AF_INET, plain), int(length)
