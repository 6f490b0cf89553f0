"""What the kernel says of links in the network namespace that this is called in: read over rtnetlink(7).

/sys shows the links of the namespace it was mounted in, which is another one after setns(2).
"""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum
import os
import struct

from nsunit.features.network.model.host_links import HostLinks, Link, packed
from nsunit.features.network.wire import links as effects
from nsunit.features.network.wire.bandwidth import HANDLE
from nsunit.features.network.wire.netlink import NETLINK_ROUTE, answers, attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nsunit.features.network.model.attachment import Attachment, Device, Network

# linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h, linux/if.h
_NLM_F_DUMP = 0x300
_RTM_GETLINK, _RTM_GETADDR, _RTM_GETROUTE, _RTM_GETQDISC = 18, 22, 26, 38
_IFLA_IFNAME, _IFLA_MASTER, _IFLA_LINKINFO, _IFA_ADDRESS, _IFA_LOCAL = 3, 10, 18, 1, 2
_IFLA_INFO_SLAVE_KIND, _IFLA_INFO_SLAVE_DATA, _IFLA_BRPORT_ISOLATED = 4, 5, 33
_RTA_DST, _RTA_OIF, _RT_TABLE_LOCAL = 1, 4, 255
_IFF_UP = 1
# ifinfomsg, ifaddrmsg, rtmsg, tcmsg
_LINK, _ADDRESS, _ROUTE, _QDISC = "=BxHiII", "=BBBBI", "=BBBBBBBBI", "=BxxxiIII"
_LOOPBACK = bytes(15) + b"\1"


def host(networks: Iterable[Network]) -> HostLinks:
    """What the host has, as far as *networks* need it; one question each for all of them."""
    networks = list(networks)
    return HostLinks(
        links(),
        frozenset(all_addresses()),
        frozenset(reached_by_loopback() if any(network.returns_to_loopback for network in networks) else ()),
        {name: effects.sysctl(name) for network in networks for name, _ in network.sysctls},
    )


def wrong_within(places: list[tuple[str, Attachment]]) -> dict[str, list[str]]:
    """What is wrong inside for each container, given the paths of their network namespaces.

    One process looks into all of them; one that has ended meanwhile has nothing wrong.

    Raises:
        NsunitError: the kernel does not let it.
    """

    def within() -> str:
        lines = []
        for path, item in places:
            try:
                namespace_fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            effects.enter(namespace_fd)
            os.close(namespace_fd)
            lines += [f"{item.container}\t{text}" for text in wrong_inside(item)]
        return "\n".join(lines)

    found: dict[str, list[str]] = {}
    for line in effects.in_child(within).splitlines() if places else ():
        container, _, text = line.partition("\t")
        found.setdefault(container, []).append(text)
    return found


def wrong_inside(item: Attachment) -> list[str]:
    """What is wrong with the devices of *item*, and with what holds it to its Egress=."""
    found = [text for device in item.devices for text in wrong_device(device)]
    if item.egress:
        held = limited()
        found += [
            f"the interface '{interface.name}' is not held to Egress= any more"
            for interface in item.interfaces
            if interface.name not in held
        ]
    return found


def wrong_device(device: Device) -> list[str]:
    """What is wrong with *device*."""
    link = links().get(device.name)
    if link is None:
        return [f"the interface '{device.name}' is gone"]
    if not link.up:
        return [f"the interface '{device.name}' is down"]
    there = all_addresses()
    missing = [address for address in device.addresses if (link.index, *packed(address)) not in there]
    return [f"the interface '{device.name}' has lost the address {address}" for address in missing]


def links() -> dict[str, Link]:
    """All links by name."""
    found = {}
    for header, about in _dump(_RTM_GETLINK, _LINK):
        _, _, index, flags, _ = header
        (master,) = struct.unpack("=I", about.get(_IFLA_MASTER, bytes(4)))
        name = about[_IFLA_IFNAME].rstrip(b"\0").decode("utf-8", "surrogateescape")  # what is inside has a say in it
        found[name] = Link(index, bool(flags & _IFF_UP), master, master > 0 and _is_isolated(about))
    return found


def _is_isolated(about: dict[int, bytes]) -> bool:
    info = attributes(about.get(_IFLA_LINKINFO, b""))
    if info.get(_IFLA_INFO_SLAVE_KIND, b"").rstrip(b"\0") != b"bridge":
        return False
    return attributes(info.get(_IFLA_INFO_SLAVE_DATA, b"")).get(_IFLA_BRPORT_ISOLATED, b"\0") != b"\0"


def all_addresses() -> set[tuple[int, bytes, int]]:
    """All addresses, in network byte order, each with the number of its link before and its prefix length behind it."""
    return {
        (header[4], about.get(_IFA_LOCAL, about.get(_IFA_ADDRESS, b"")), header[1])
        for header, about in _dump(_RTM_GETADDR, _ADDRESS)
    }


def reached_by_loopback() -> set[int]:
    """Numbers of the links by which ::1 is reached, as the local table says."""
    wanted = struct.pack(_ROUTE, _socket.AF_INET6, 0, 0, 0, _RT_TABLE_LOCAL, 0, 0, 0, 0)
    return {
        struct.unpack("=I", about[_RTA_OIF])[0]
        for _, about in _dump(_RTM_GETROUTE, _ROUTE, wanted)
        if about.get(_RTA_DST) == _LOOPBACK and _RTA_OIF in about
    }


def limited() -> set[str]:
    """Names of the links that have a queue which nsunit made."""
    names = {link.index: name for name, link in links().items()}
    return {
        names[header[1]] for header, _ in _dump(_RTM_GETQDISC, _QDISC) if header[2] == HANDLE and header[1] in names
    }


def _dump(request: int, layout: str, wanted: bytes = b"") -> Iterator[tuple[tuple[int, ...], dict[int, bytes]]]:
    """All objects of a kind, or those that are as *wanted* says: the fixed part of each, and its attributes.

    Raises:
        OSError: the kernel refused it.
    """
    size = struct.calcsize(layout)
    for answer in answers(NETLINK_ROUTE, request, _NLM_F_DUMP, wanted or bytes(size), strict=bool(wanted)):
        yield struct.unpack_from(layout, answer), attributes(answer[size:])
