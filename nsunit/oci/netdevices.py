"""`linux.netDevices`: links of the host become the container's, with their global addresses."""

from __future__ import annotations

import _socket
import errno
import os
import struct

from nsunit.oci.errors import OciError
from nsunit.setup import linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from nsunit.oci.spec.fields import Json

_HEADER, _LINK, _ADDRESS = "=IHHII", "=BxHiII", "=BBBBI"
_REQUEST, _ACK, _DUMP, _CREATE = 1, 4, 0x300, 0x600
_NEWLINK, _NEWADDR, _GETADDR, _ERROR, _DONE = 16, 20, 22, 2, 3
_IFLA_IFNAME, _IFLA_NET_NS_FD = 3, 28
_IFF_UP = 1
_SCOPE_GLOBAL = 0
_PERMANENT = 0x80


class _Route:
    """A socket of rtnetlink(7) in the namespace of its begin."""

    def __init__(self) -> None:
        self.socket = _socket.socket(16, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, 0)

    def ask(self, kind: int, flags: int, body: bytes) -> Iterator[bytes]:
        """Send a request; the messages that come, without their header."""
        self.socket.send(struct.pack(_HEADER, 16 + len(body), kind, _REQUEST | flags, 1, 0) + body)
        while True:
            data = self.socket.recv(1 << 16)
            while data:
                length, answer, _, _, _ = struct.unpack_from(_HEADER, data)
                message, data = data[16:length], data[(length + 3) & ~3 :]
                if answer == _DONE:
                    return
                if answer == _ERROR:
                    number = -struct.unpack_from("=i", message)[0]
                    if number:
                        raise OSError(number, os.strerror(number))
                    return
                yield message

    def link(self, index: int, flags: int, *attributes: bytes) -> None:
        """Change a link."""
        body = struct.pack(_LINK, 0, 0, index, flags, flags) + b"".join(attributes)
        list(self.ask(_NEWLINK, _ACK, body))

    def addresses(self, index: int) -> list[bytes]:
        """Its addresses of global scope that somebody has given it, as messages to give them again."""
        found = []
        for message in self.ask(_GETADDR, _DUMP, struct.pack(_ADDRESS, 0, 0, 0, 0, 0)):
            _, _, flags, scope, owner = struct.unpack_from(_ADDRESS, message)
            if owner == index and scope == _SCOPE_GLOBAL and flags & _PERMANENT:
                found.append(message)
        return found

    def give(self, index: int, message: bytes) -> None:
        """Give a link an address of `addresses`."""
        family, length, flags, scope, _ = struct.unpack_from(_ADDRESS, message)
        body = struct.pack(_ADDRESS, family, length, flags, scope, index) + message[8:]
        list(self.ask(_NEWADDR, _ACK | _CREATE, body))


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value.ljust((len(value) + 3) & ~3, b"\0")


def move(devices: Json, pid: int) -> None:
    """Move each of *devices*, by name with `name` inside, into the network namespace of process *pid*, and set it up.

    Raises:
        OciError: there is no such link, or it cannot be moved.
    """
    target = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        for name, entry in devices.items():
            try:
                _move(name, str(entry.get("name") or name), target, own)
            except OSError as error:
                raise OciError(f"linux.netDevices: {name}: {error.strerror or error}") from None
    finally:
        os.close(target)
        os.close(own)


def _move(name: str, inside: str, target: int, own: int) -> None:
    try:
        index = _socket.if_nametoindex(name)
    except OSError:  # with a number and another text from Python 3.14 on
        raise OSError(errno.ENODEV, "no interface with this name") from None
    here = _Route()
    kept = here.addresses(index)
    new_name = _attribute(_IFLA_IFNAME, inside.encode() + b"\0")
    here.link(index, 0, _attribute(_IFLA_NET_NS_FD, struct.pack("=i", target)), new_name)
    linux.setns(target, linux.CLONE_NEWNET)
    try:
        there, number = _Route(), _socket.if_nametoindex(inside)
        for message in kept:
            there.give(number, message)
        there.link(number, _IFF_UP)
    finally:
        linux.setns(own, linux.CLONE_NEWNET)
