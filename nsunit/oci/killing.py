"""The end of all processes of a container."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import select

from nsunit.oci.cgroup import fs, manager
from nsunit.oci.errors import OciError
from nsunit.oci.state import Container, is_alive
from nsunit.setup import system as os
from nsunit.setup import unreaped

_SECONDS = 10.0
SIGKILL = 9


def kill_all(container: Container) -> None:
    """Kill its process and what is in its cgroup, and wait for the end of the process.

    Raises:
        OciError: it does not end.
    """
    if manager.is_own(container.place):
        fs.kill(container.place.path)
    if not is_alive(container):
        return
    try:
        pidfd = os.pidfd_open(container.pid)
    except ProcessLookupError:
        return
    try:
        if is_alive(container):
            _signal.pidfd_send_signal(pidfd, SIGKILL)
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            if not poll.poll(_SECONDS * 1000):
                reason = unreaped(container.pid) or f"process {container.pid} does not end"
                raise OciError(f"container init still running: {reason}")
    except ProcessLookupError:
        pass
    finally:
        os.close(pidfd)
