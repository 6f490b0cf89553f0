"""What a system inside writes to its console goes to the unit's standard output, so to the host's journal.

Somebody has to read it: a terminal that nobody reads is full at some time, and then whoever writes to it waits.  The
helper becomes cat(1) for that, beside the container in the unit's cgroup, and ends with the unit.
"""

from __future__ import annotations

import fcntl
import os

from nsunit.features.output.setup import become_carrier
from nsunit.setup.build import Build
from nsunit.setup.spawn import TIOCGPTPEER


def carry(build: Build) -> None:
    """Become what reads the console, if there is one; does not return then.

    Raises:
        OSError: there is no cat.
    """
    if build.master_fd < 0:
        return
    # While one process has the other half open, reading never ends, whatever is done inside.
    peer = fcntl.ioctl(build.master_fd, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY)
    os.set_inheritable(peer, True)
    become_carrier(build.master_fd, 1, own_users=build.own_users)
