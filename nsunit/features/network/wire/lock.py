"""Waiting for others that change links, while systemd knows of it: it ends a program that takes longer than it may.

A start or stop in a crowd may wait for its turn longer than TimeoutStartSec= or TimeoutStopSec=.  A program that is
ended then leaves rules and links behind, so it asks for more time (sd_notify(3), EXTEND_TIMEOUT_USEC=), which the
units of containers and pods take from all their processes (NotifyAccess=all), ExecStopPost= included.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import _socket  # the C half of socket: the Python half imports enum
import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

PATIENCE_SECONDS = 120  # after which no more time is asked for: whoever has the lock hangs, and must not hang all
_STEP_SECONDS = 10
_MORE_SECONDS = 30  # what is asked for each time: there is some left for the work itself


def lock(fd: int) -> None:
    """Wait for the lock (flock(2)) on *fd*, and ask the service manager for the time that takes."""
    left = PATIENCE_SECONDS // _STEP_SECONDS

    def ask(_number: int = 0, _frame: FrameType | None = None) -> None:
        nonlocal left
        if left:
            left -= 1
            ask_for(_MORE_SECONDS)

    ask()
    previous = _signal.signal(_signal.SIGALRM, ask)
    _signal.setitimer(_signal.ITIMER_REAL, _STEP_SECONDS, _STEP_SECONDS)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)  # goes on after each signal
    finally:
        _signal.setitimer(_signal.ITIMER_REAL, 0)
        _signal.signal(_signal.SIGALRM, previous)


def ask_for(seconds: int) -> None:
    """Have the service manager wait *seconds* from now on at least; without one, nothing."""
    address = os.getenv("NOTIFY_SOCKET", "")
    if not address:
        return
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        name = "\0" + address[1:] if address.startswith("@") else address
        connection.sendto(f"EXTEND_TIMEOUT_USEC={seconds * 1_000_000}".encode(), name)
    except (FileNotFoundError, ConnectionRefusedError):
        pass  # nobody listens there, so nobody ends this program either
    finally:
        connection.close()
