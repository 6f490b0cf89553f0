"""What a container may send and receive in a second: a token bucket filter (tc-tbf(8)) at each end of its link.

The one inside keeps the container's own queue short, so that nothing is dropped that could wait.  A container that
may change its links could remove it, so a rule of the firewall holds it to the same rate, see nsunit.plan.firewall.
The messages are written here: pyroute2's classes for them load all there is of traffic control.
"""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum
import os
import struct

from nsunit.errors import NsunitError
from nsunit.network import links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.plan.attachment import Attachment

# linux/rtnetlink.h, linux/pkt_sched.h
_NETLINK_ROUTE, _NLMSG_ERROR = 0, 2
_RTM_NEWQDISC = 36
_FLAGS = 0x1 | 0x4 | 0x100 | 0x400  # NLM_F_REQUEST, NLM_F_ACK, NLM_F_REPLACE, NLM_F_CREATE
_TC_H_ROOT = 0xFFFFFFFF
_HANDLE = 0x6E730000  # 6e73:
_TCA_KIND, _TCA_OPTIONS = 1, 2
_TCA_TBF_PARMS, _TCA_TBF_RATE64, _TCA_TBF_BURST = 1, 4, 6
_TC_LINKLAYER_ETHERNET = 1
_BURST_MIN = 16 * 1024
_LATENCY_SECONDS = 0.05  # how long a packet may wait for its turn


def apply(item: Attachment, namespace_fd: int) -> None:
    """Limit all links of *item*, whose other ends are in the network namespace.

    Raises:
        NsunitError: the kernel refused it.
    """
    if item.ingress:
        for interface in item.interfaces:
            limit(interface.link, item.ingress, interface.mtu)
    if item.egress:

        def within() -> None:
            for interface in item.interfaces:
                limit(interface.name, item.egress, interface.mtu)

        links.inside(namespace_fd, within)


def limit(link: str, rate: int, mtu: int) -> None:
    """Let *link* send *rate* bytes in a second, replacing what it has.

    Raises:
        NsunitError: the kernel refused it.
    """
    connection = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, _NETLINK_ROUTE)
    connection.bind((0, 0))
    connection.send(message(_socket.if_nametoindex(link), rate, mtu))
    kind, code = struct.unpack_from("=4xH10xi", connection.recv(1 << 16))
    connection.close()
    if kind != _NLMSG_ERROR or code:
        hint = "load the kernel module sch_tbf, or leave out Egress= and Ingress=" if code == -2 else None
        raise NsunitError(f"cannot limit the bandwidth of '{link}': {os.strerror(-code)}", hint=hint)


def message(index: int, rate: int, mtu: int) -> bytes:
    """The request for the link with that *index*, see rtnetlink(7)."""
    burst = max(rate // 250, _BURST_MIN, 2 * mtu)
    queue = min(int(rate * _LATENCY_SECONDS) + burst, 0xFFFFFFFF)
    speed = struct.pack("=BBHhHI", 0, _TC_LINKLAYER_ETHERNET, 0, 0, 0, min(rate, 0xFFFFFFFF))
    parameters = speed + bytes(12) + struct.pack("=III", queue, 0, 0)
    options = _attribute(_TCA_TBF_PARMS, parameters) + _attribute(_TCA_TBF_BURST, struct.pack("=I", burst))
    if rate > 0xFFFFFFFF:
        options += _attribute(_TCA_TBF_RATE64, struct.pack("=Q", rate))
    body = struct.pack("=BxxxiIII", 0, index, _HANDLE, _TC_H_ROOT, 0)
    body += _attribute(_TCA_KIND, b"tbf\0") + _attribute(_TCA_OPTIONS, options)
    return struct.pack("=IHHII", 16 + len(body), _RTM_NEWQDISC, _FLAGS, 1, 0) + body


def _attribute(kind: int, content: bytes) -> bytes:
    length = 4 + len(content)
    return struct.pack("=HH", length, kind) + content + bytes(-length % 4)
