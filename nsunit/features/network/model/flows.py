"""Which of the kernel's connections a change of published ports makes wrong.  Pure.

Where a packet is led is decided for the first one of a connection, and all others follow that.  For TCP a connection
ends with its program; a sender of UDP that never pauses has one for good, and with it where that led at first: to the
host while no container was there, or to a container that is gone.
"""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum

from nsunit.features.network.model import firewall
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from nsunit.features.network.model.attachment import Attachment
    from nsunit.features.network.model.port import Port

_FAMILIES = {"ip": _socket.AF_INET, "ip6": _socket.AF_INET6}


class Flow(Record):
    """A connection of UDP: where its sender sends, and from where it is answered; addresses in network byte order."""

    address: bytes
    port: int
    answering: bytes
    answering_port: int


def ports(item: Attachment) -> tuple[Port, ...]:
    """The ports of *item* that such connections may have."""
    return tuple(port for port in firewall.led(item) if port.protocol == "udp")


def misses(flow: Flow, item: Attachment, local: Container[bytes]) -> bool:
    """Whether *flow* is for a port of *item*, and does not lead to it; *local* are the host's addresses."""
    target = _target(flow, item)
    is_local = flow.address in local or (len(flow.address) == 4 and flow.address[0] == 127)
    return bool(target) and is_local and (flow.answering, flow.answering_port) not in target


def leads_in(flow: Flow, item: Attachment, _local: Container[bytes]) -> bool:
    """Whether *flow* leads to *item* by one of its ports."""
    return (flow.answering, flow.answering_port) in _target(flow, item)


def _target(flow: Flow, item: Attachment) -> list[tuple[bytes, int]]:
    """Where *flow* should lead; empty where it is for no port of *item*."""
    return [
        (packed, port.container)
        for family, address in firewall.first_by_family(item)
        if len(packed := _socket.inet_pton(_FAMILIES[family], address)) == len(flow.address)
        for port in ports(item)
        if port.host == flow.port and (not port.address or _is(port.address, flow.address))
    ]


def _is(text: str, packed: bytes) -> bool:
    family = _socket.AF_INET6 if ":" in text else _socket.AF_INET
    return _socket.inet_pton(family, text) == packed
