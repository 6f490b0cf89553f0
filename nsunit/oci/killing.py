"""The end of all processes of a container."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import select

from nsunit.oci.cgroup import fs, manager
from nsunit.oci.errors import OciError
from nsunit.oci.state import Container, is_alive
from nsunit.setup import read_file
from nsunit.setup import system as os

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


def unreaped(pid: int) -> str:
    """What keeps *pid*, the first process of a PID namespace, from ending; empty where nothing does.

    A process of `exec` that has ended is in the namespace until its parent, who is outside, has waited for it, and so
    long the kernel keeps the first one.
    """
    try:
        namespace = os.readlink(f"/proc/{pid}/ns/pid")
    except FileNotFoundError:
        return ""
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{name}/ns/pid") != namespace:
                continue
            fields = read_file(f"/proc/{name}/stat").rpartition(")")[2].split()  # proc_pid_stat(5) from field 3 on
            if fields[0] == "Z" and os.readlink(f"/proc/{fields[1]}/ns/pid") != namespace:
                return (
                    f"process {name} of the container has ended, and process {fields[1]} has not waited for it:"
                    " until then the container's own cannot end"
                )
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it is gone, or no process of the container's
    return ""
