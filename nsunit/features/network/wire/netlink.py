"""Messages to the kernel and from it, see netlink(7): headers, attributes, one question and its answer.

What every connected container needs is written by these few lines: pyroute2's classes, which know the encoding of much
more, take four times as long to load as everything else that connects one.
"""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum
import errno
import os
import struct

# linux/netlink.h
NETLINK_ROUTE = 0
NLM_F_REQUEST, NLM_F_ACK, NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NLM_F_MULTI, _NLM_F_DUMP_INTR = 0x2, 0x10
_ATTEMPTS = 100
_NLA_TYPE_MASK = 0x3FFF
_SOL_NETLINK, _NETLINK_GET_STRICT_CHK = 270, 12
_HEADER = 16  # nlmsghdr
_REPLY_MAX = 1 << 16


def attribute(kind: int, content: bytes) -> bytes:
    """An attribute: its length, its type, and *content*, padded to four bytes."""
    length = 4 + len(content)
    return struct.pack("=HH", length, kind) + content + bytes(-length % 4)


def text(kind: int, value: str) -> bytes:
    """An attribute that is a string."""
    return attribute(kind, value.encode() + b"\0")


def number(kind: int, value: int) -> bytes:
    """An attribute of 32 bits."""
    return attribute(kind, struct.pack("=I", value))


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes in *data*, by their types."""
    found, position = {}, 0
    while position + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, position)
        if length < 4:
            break
        found[kind & _NLA_TYPE_MASK] = data[position + 4 : position + length]
        position += (length + 3) & ~3
    return found


def connect(protocol: int = NETLINK_ROUTE) -> _socket.socket:
    """A socket for a netlink *protocol* of the network namespace that this is called in."""
    connection = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, protocol)
    connection.bind((0, 0))
    return connection


def message(kind: int, flags: int, body: bytes) -> bytes:
    """A request with its header."""
    return struct.pack("=IHHII", _HEADER + len(body), kind, NLM_F_REQUEST | flags, 1, 0) + body


def ask(connection: _socket.socket, request: bytes) -> int:
    """Send a *request* that wants an acknowledgement; returns the error number, 0 for none."""
    connection.send(request)
    kind, code = struct.unpack_from("=4xH10xi", connection.recv(_REPLY_MAX))
    return -code if kind == _NLMSG_ERROR else errno.EPROTO


def answers(protocol: int, request: int, flags: int, body: bytes, *, strict: bool = False) -> list[bytes]:
    """What the kernel answers to one message of a netlink *protocol*, message by message without their headers.

    A *strict* one lists only what is like the *body*.  A list that has changed while it was made may lack what was
    there all the time, and is asked for again.

    Raises:
        OSError: it has answered with an error, or the list does not come to rest.
    """
    connection = connect(protocol)
    try:
        if strict:  # else the kernel would look at nothing but the family
            connection.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, 1)
        for _ in range(_ATTEMPTS):
            connection.send(message(request, flags, body))
            found, is_whole = _received(connection)
            if is_whole:
                return found
        raise OSError(errno.EAGAIN, "it changes all the time")
    finally:
        connection.close()


def _received(connection: _socket.socket) -> tuple[list[bytes], bool]:
    """The messages of one answer, and whether nothing has changed meanwhile."""
    found: list[bytes] = []
    is_whole = True
    while True:
        data = connection.recv(_REPLY_MAX)
        position = 0
        while position + _HEADER <= len(data):
            length, kind, flags = struct.unpack_from("=IHH", data, position)
            is_whole = is_whole and not flags & _NLM_F_DUMP_INTR
            if kind in (_NLMSG_DONE, _NLMSG_ERROR):
                # Both have a number: a list that the kernel could not finish ends with it, too, after what there was.
                code = -struct.unpack_from("=i", data, position + _HEADER)[0] if length >= _HEADER + 4 else 0
                if code > 0:
                    raise OSError(code, os.strerror(code))
                return found, is_whole  # it is the end, or it was asked to say that it has done it
            found.append(data[position + _HEADER : position + length])
            if not flags & _NLM_F_MULTI:
                return found, is_whole
            position += (length + 3) & ~3
