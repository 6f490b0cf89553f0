"""The helper's side of sd_notify(3)."""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum and selectors
import _struct as struct  # the C half: the other is a file to read, and no more
import select

from nsunit.setup import system as os

BARRIER_TIMEOUT_MSEC = 30_000


def send(address: str, message: str) -> None:
    """Send *message* to the service manager and wait until it has been read.

    The barrier is what makes it safe to exit right afterwards: the manager looks up the sender's unit by its cgroup
    when it reads the message, and drops the message of a process that is gone.

    Raises:
        TimeoutError: the manager did not get to it in BARRIER_TIMEOUT_MSEC.
    """
    sock = _tell(address, message)
    reader, writer = os.pipe()
    try:
        rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack("i", writer))
        sock.sendmsg([b"BARRIER=1"], [rights])
        os.close(writer)
        writer = -1
        poll = select.poll()
        poll.register(reader, 0)
        if not poll.poll(BARRIER_TIMEOUT_MSEC):
            raise TimeoutError("the service manager did not take the notification in time")
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)
        sock.close()


def tell(address: str, message: str) -> None:
    """Send *message* and do not wait: for who sends another one, by `send`, before it exits.

    The manager reads them in their order.
    """
    _tell(address, message).close()


def _tell(address: str, message: str) -> _socket.socket:
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        sock.connect("\0" + address[1:] if address.startswith("@") else address)
        sock.send(message.encode("utf-8", "replace"))
    except BaseException:
        sock.close()
        raise
    return sock
