"""What the kernel says of links in the network namespace that this is called in: read over rtnetlink(7).

/sys shows the links of the namespace it was mounted in, which is another one after setns(2).
"""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum
import struct

from nsunit.network.bandwidth import HANDLE
from nsunit.network.devices import attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from nsunit.plan.attachment import Attachment, Device

# linux/netlink.h, linux/rtnetlink.h, linux/if_addr.h, linux/if.h
_NLM_F_REQUEST, _NLM_F_DUMP, _NLMSG_ERROR, _NLMSG_DONE = 0x1, 0x300, 2, 3
_RTM_GETLINK, _RTM_GETADDR, _RTM_GETQDISC = 18, 22, 38
_IFLA_IFNAME, _IFA_ADDRESS, _IFA_LOCAL = 3, 1, 2
_IFF_UP = 1
_LINK, _ADDRESS, _QDISC = "=BxHiII", "=BBBBI", "=BxxxiIII"  # ifinfomsg, ifaddrmsg, tcmsg


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
    index, up = link
    if not up:
        return [f"the interface '{device.name}' is down"]
    there = addresses(index)
    missing = [address for address in device.addresses if _packed(address) not in there]
    return [f"the interface '{device.name}' has lost the address {address}" for address in missing]


def links() -> dict[str, tuple[int, bool]]:
    """All links by name, each with its number and whether it is up."""
    found = {}
    for header, about in _dump(_RTM_GETLINK, _LINK):
        _, _, index, flags, _ = header
        found[about[_IFLA_IFNAME].rstrip(b"\0").decode()] = index, bool(flags & _IFF_UP)
    return found


def addresses(index: int) -> set[tuple[bytes, int]]:
    """The addresses of the link with that number, in network byte order, with their prefix lengths."""
    found = set()
    for header, about in _dump(_RTM_GETADDR, _ADDRESS):
        if header[4] == index:
            found.add((about.get(_IFA_LOCAL, about.get(_IFA_ADDRESS, b"")), header[1]))
    return found


def limited() -> set[str]:
    """Names of the links that have a queue which nsunit made."""
    names = {index: name for name, (index, _) in links().items()}
    return {
        names[header[1]] for header, _ in _dump(_RTM_GETQDISC, _QDISC) if header[2] == HANDLE and header[1] in names
    }


def _packed(address: str) -> tuple[bytes, int]:
    plain, _, length = address.partition("/")
    return _socket.inet_pton(_socket.AF_INET6 if ":" in plain else _socket.AF_INET, plain), int(length)


def _dump(request: int, layout: str) -> Iterator[tuple[tuple[int, ...], dict[int, bytes]]]:
    """All objects of a kind: the fixed part of each, and its attributes.

    Raises:
        OSError: the kernel refused it.
    """
    size = struct.calcsize(layout)
    connection = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, 0)
    try:
        connection.bind((0, 0))
        connection.send(struct.pack("=IHHII", 16 + size, request, _NLM_F_REQUEST | _NLM_F_DUMP, 1, 0) + bytes(size))
        while True:
            data = connection.recv(1 << 16)
            position = 0
            while position + 16 <= len(data):
                length, kind = struct.unpack_from("=IH", data, position)
                if kind == _NLMSG_DONE:
                    return
                if kind == _NLMSG_ERROR:
                    code = -struct.unpack_from("=i", data, position + 16)[0]
                    raise OSError(code, "the kernel does not list its links")
                body = data[position + 16 : position + length]
                yield struct.unpack_from(layout, body), attributes(body[size:])
                position += (length + 3) & ~3
    finally:
        connection.close()
