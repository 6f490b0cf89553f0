"""What a container may send and receive in a second: a token bucket filter (tc-tbf(8)) at each end of its link.

The one inside keeps the container's own queue short, so that nothing is dropped that could wait.  A container that
may change its links could remove it, so a rule of the firewall holds it to the same rate, see network.model.firewall.
"""

from __future__ import annotations

import errno
import os
import struct

from nsunit.errors import NsunitError
from nsunit.features.network.wire import links, netlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.features.network.model.attachment import Attachment

# linux/rtnetlink.h, linux/pkt_sched.h
_RTM_NEWQDISC, _RTM_DELQDISC = 36, 37
_TC_H_ROOT = 0xFFFFFFFF
HANDLE = 0x6E730000  # 6e73:
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


def change(item: Attachment, namespace_fd: int) -> None:
    """Limit the links of *item*, which runs, and remove the limits that it does not have any more.

    Raises:
        NsunitError: the kernel refused it.
    """

    def within() -> None:
        for interface in item.interfaces:
            release(interface.name)

    if not item.ingress:
        for interface in item.interfaces:
            release(interface.link)
    if not item.egress:
        links.inside(namespace_fd, within)
    apply(item, namespace_fd)


def limit(link: str, rate: int, mtu: int) -> None:
    """Let *link* send *rate* bytes in a second, replacing what it has.

    Raises:
        NsunitError: the kernel refused it.
    """
    code = _ask(message(links.index(link), rate, mtu))
    if code:
        hint = "load the kernel module sch_tbf, or leave out Egress= and Ingress=" if code == errno.ENOENT else None
        raise NsunitError(f"cannot limit the bandwidth of '{link}': {os.strerror(code)}", hint=hint)


def release(link: str) -> None:
    """Let *link* send what it can; without complaint if nothing held it back.

    Raises:
        NsunitError: the kernel refused it.
    """
    body = struct.pack("=BxxxiIII", 0, links.index(link), HANDLE, _TC_H_ROOT, 0)
    code = _ask(netlink.message(_RTM_DELQDISC, netlink.NLM_F_ACK, body))
    if code not in (0, errno.ENOENT, errno.EINVAL):
        raise NsunitError(f"cannot free the bandwidth of '{link}': {os.strerror(code)}")


def _ask(request: bytes) -> int:
    """Send *request*; returns the error number, 0 for none."""
    connection = netlink.connect()
    code = netlink.ask(connection, request)
    connection.close()
    return code


def message(index: int, rate: int, mtu: int) -> bytes:
    """The request for the link with that *index*, see rtnetlink(7)."""
    burst = max(rate // 250, _BURST_MIN, 2 * mtu)
    queue = min(int(rate * _LATENCY_SECONDS) + burst, 0xFFFFFFFF)
    speed = struct.pack("=BBHhHI", 0, _TC_LINKLAYER_ETHERNET, 0, 0, 0, min(rate, 0xFFFFFFFF))
    parameters = speed + bytes(12) + struct.pack("=III", queue, 0, 0)
    options = netlink.attribute(_TCA_TBF_PARMS, parameters) + netlink.number(_TCA_TBF_BURST, burst)
    if rate > 0xFFFFFFFF:
        options += netlink.attribute(_TCA_TBF_RATE64, struct.pack("=Q", rate))
    body = struct.pack("=BxxxiIII", 0, index, HANDLE, _TC_H_ROOT, 0)
    body += netlink.attribute(_TCA_KIND, b"tbf\0") + netlink.attribute(_TCA_OPTIONS, options)
    flags = netlink.NLM_F_ACK | netlink.NLM_F_REPLACE | netlink.NLM_F_CREATE
    return netlink.message(_RTM_NEWQDISC, flags, body)
