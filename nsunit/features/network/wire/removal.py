"""Removing a link over rtnetlink(7): all that a stop needs of it, so a stop loads no more."""

from __future__ import annotations

import errno
import os
import struct

from nsunit.errors import NsunitError
from nsunit.features.network.wire.netlink import NLM_F_ACK, ask, connect, message, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

# linux/rtnetlink.h, linux/if_link.h
_RTM_DELLINK, _IFLA_IFNAME = 17, 3
_IFINFOMSG = struct.pack("=BxHiII", 0, 0, 0, 0, 0)  # without a number: the kernel looks for the name


def is_there(link: str) -> bool:
    """Whether the host has a link of that name.  To ask the kernel by name would have it load a module for it."""
    return os.path.exists(f"/sys/class/net/{link}")


def delete(link: str) -> None:
    """Remove the link *link*, a veth pair or a bridge; without complaint if it is gone.

    Raises:
        NsunitError: the kernel refused it.
    """
    if is_there(link):
        connection = connect()
        try:
            _delete(connection, link)
        finally:
            connection.close()


def delete_by(connection: _socket.socket, link: str) -> None:
    """`delete` over a *connection* that is there."""
    if is_there(link):
        _delete(connection, link)


def _delete(connection: _socket.socket, link: str) -> None:
    # One that is going has its name in /sys for a moment longer than the kernel finds it.
    code = ask(connection, message(_RTM_DELLINK, NLM_F_ACK, _IFINFOMSG + text(_IFLA_IFNAME, link)))
    if code not in (0, errno.ENODEV):
        raise NsunitError(f"cannot remove the link '{link}': {os.strerror(code)}")
