"""What a system inside writes to its console goes to the unit's standard output, so to the host's journal.

Somebody has to read it: a terminal that nobody reads is full at some time, and then whoever writes to it waits.  The
helper becomes cat(1) for that, beside the container in the unit's cgroup, and ends with the unit.
"""

from __future__ import annotations

import fcntl
import os

from nsunit.setup import linux
from nsunit.setup.spawn import TIOCGPTPEER

CAT = "/bin/cat"


def carry(master: int, *, own_users: bool) -> None:
    """Become what reads the terminal behind *master*; does not return.  *own_users*: for a container without root.

    Raises:
        OSError: there is no cat.
    """
    # The mounts seen here are the helper's own copy of the host's: none of them should be kept from going away.
    if not own_users:
        host = os.open("/proc/1/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        linux.setns(host, linux.CLONE_NEWNS)
    os.chdir("/")
    # While one process has the other half open, reading never ends, whatever is done inside.
    peer = fcntl.ioctl(master, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY)
    os.set_inheritable(peer, True)
    os.dup2(master, 0)
    os.execve(CAT, ["cat"], {})
