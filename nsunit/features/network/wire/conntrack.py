"""The kernel's table of connections over netlink, as far as it has UDP: conntrack(8) is not everywhere."""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum
import struct

from nsunit.features.network.model import flows
from nsunit.features.network.model.flows import Flow
from nsunit.features.network.wire import state
from nsunit.features.network.wire.netlink import answers, attribute, attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from nsunit.features.network.model.attachment import Attachment

    Judge = Callable[[Flow, Attachment, Container[bytes]], bool]

# linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nfnetlink_conntrack.h
_NETLINK_NETFILTER, _NLM_F_ACK, _NLM_F_DUMP = 12, 0x4, 0x300
_GET, _DELETE = 0x101, 0x102  # of the subsystem NFNL_SUBSYS_CTNETLINK
_TUPLE_ORIG, _TUPLE_REPLY, _ID, _ZONE, _FILTER = 1, 2, 12, 18, 25
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_SOURCES, _DESTINATIONS = (1, 3), (2, 4)  # of IPv4 and IPv6
_PROTO_NUM, _SRC_PORT, _DST_PORT = 1, 2, 3
_FILTER_ORIG, _FILTER_REPLY = 1, 2
_F_PROTO_NUM, _F_DST_PORT = 0x8, 0x20  # what the kernel compares, net/netfilter/nf_internals.h (Linux 5.8)
_NESTED = 0x8000
_NFGENMSG = 4  # its size
_PORTS_MAX = 8  # that are asked for one by one: the kernel goes through its table for each


def forget(item: Attachment, judge: Judge) -> None:
    """Have the kernel forget the connections by ports of *item* that are as *judge* says; their next packet counts.

    Nothing is done where the kernel does not list its connections: senders that pause are led rightly all the same.
    """
    wanted = sorted({port.host for port in flows.ports(item)})
    local = {packed for _, packed, _ in state.all_addresses()}
    for family in (_socket.AF_INET, _socket.AF_INET6):
        for port in wanted if len(wanted) <= _PORTS_MAX else [0]:
            try:
                found = [raw for flow, raw in _list(family, port) if judge(flow, item, local)]
            except OSError:
                return
            for raw in found:
                _delete(family, raw)


def _list(family: int, port: int) -> Iterator[tuple[Flow, dict[int, bytes]]]:
    """The connections of UDP to *port*, 0 for all, each with its attributes."""
    protocol = attribute(_PROTO_NUM, bytes((_socket.IPPROTO_UDP,)))
    if port:
        protocol += attribute(_DST_PORT, struct.pack("!H", port))
    flags = _F_PROTO_NUM | (_F_DST_PORT if port else 0)
    compared = attribute(_FILTER_ORIG, struct.pack("=I", flags)) + attribute(_FILTER_REPLY, bytes(4))
    wanted = attribute(_TUPLE_ORIG | _NESTED, attribute(_TUPLE_PROTO | _NESTED, protocol))
    wanted += attribute(_FILTER | _NESTED, compared)
    for about in _exchange(family, _GET, _NLM_F_DUMP, wanted):
        original, reply = (_ends(about.get(kind, b"")) for kind in (_TUPLE_ORIG, _TUPLE_REPLY))
        if original and reply and original[0] == _socket.IPPROTO_UDP:
            yield Flow(original[3], original[4], reply[1], reply[2]), about


def _ends(data: bytes) -> tuple[int, bytes, int, bytes, int] | None:
    """Of a tuple the protocol, and address and port of its source and its destination."""
    parts = attributes(data)
    addresses, protocol = attributes(parts.get(_TUPLE_IP, b"")), attributes(parts.get(_TUPLE_PROTO, b""))
    source, destination = (
        next((addresses[kind] for kind in kinds if kind in addresses), b"") for kinds in (_SOURCES, _DESTINATIONS)
    )
    if not source or not destination or not {_PROTO_NUM, _SRC_PORT, _DST_PORT} <= protocol.keys():
        return None
    ports = [struct.unpack("!H", protocol[kind])[0] for kind in (_SRC_PORT, _DST_PORT)]
    return protocol[_PROTO_NUM][0], source, ports[0], destination, ports[1]


def _delete(family: int, about: dict[int, bytes]) -> None:
    """Delete the connection with these attributes, unless it has ended."""
    kinds = (_TUPLE_ORIG, _ID, _ZONE)
    wanted = b"".join(
        attribute(kind | (_NESTED if kind == _TUPLE_ORIG else 0), about[kind]) for kind in kinds if kind in about
    )
    try:
        for _ in _exchange(family, _DELETE, _NLM_F_ACK, wanted):
            pass
    except FileNotFoundError:
        pass


def _exchange(family: int, request: int, flags: int, wanted: bytes) -> Iterator[dict[int, bytes]]:
    """The attributes of each object that the kernel answers with.

    Raises:
        OSError: it has answered with an error.
    """
    for answer in answers(_NETLINK_NETFILTER, request, flags, struct.pack("=BBH", family, 0, 0) + wanted):
        yield attributes(answer[_NFGENMSG:])
