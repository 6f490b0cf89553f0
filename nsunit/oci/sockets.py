"""Descriptors that engines hand on, and sockets that they name: for a terminal, and for a listener of seccomp(2)."""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum
import struct

from nsunit.jsontext import dumps, loads
from nsunit.oci.errors import OciError
from nsunit.setup import system as os
from nsunit.setup.libc import syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.spec.fields import Json

_SYS_PIDFD_GETFD = 438  # on all architectures
_NAME = "seccompFd"


def first_of_own(count: int) -> int:
    """The first descriptor after the *count* from 3 on that a container is handed.

    Raises:
        OciError: one of these is not open; what the runtime opens itself, its lock, would be there instead.
    """
    for fd in range(3, 3 + count):
        try:
            if os.get_inheritable(fd):  # else it is the runtime's: the log
                continue
        except OSError:
            pass
        what = "is to be handed to the container (--preserve-fds, LISTEN_FDS), and is not open"
        raise OciError(f"descriptor {fd} {what}")
    return 3 + count


def connect(path: str) -> int:
    """A descriptor connected to the console socket at *path*.

    Raises:
        OciError: nobody listens there.
    """
    socket = _stream()
    try:
        socket.connect(path)
    except OSError as error:
        raise OciError(f"console socket {path}: {error.strerror}") from None
    return int(socket.detach())


def tell(config: Json, state: str, pid: int, fd: int) -> None:
    """Hand the descriptor *fd* of process *pid* to `listenerPath`, with the `ContainerProcessState` of runtime-spec.

    *state* is that of the container, as JSON.

    Raises:
        OciError: nobody listens there, or it cannot be had.
    """
    seccomp = config["linux"]["seccomp"]
    path = seccomp["listenerPath"]
    told: Json = {"ociVersion": config["ociVersion"], "fds": [_NAME], "pid": pid, "state": loads(state)}
    if metadata := seccomp.get("listenerMetadata"):
        told["metadata"] = metadata
    socket = _stream()
    pidfd = os.pidfd_open(pid)
    taken = -1
    try:
        taken = syscall("pidfd_getfd", _SYS_PIDFD_GETFD, pidfd, fd, 0)
        socket.connect(path)
        socket.sendmsg([dumps(told).encode()], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack("i", taken))])
    except OSError as error:
        raise OciError(f"linux.seccomp.listenerPath: '{path}': {error.strerror}") from None
    finally:
        os.close(pidfd)
        socket.close()
        if taken >= 0:
            os.close(taken)


def _stream() -> _socket.socket:
    return _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
