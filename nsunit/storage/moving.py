"""Keep the kernel ready to move processes between cgroups while systemd does so for a command.

This is a trick.  Whoever moves a process takes a lock of the whole system for writing, and the first one in a while
waits for an RCU grace period, 10 ms and more: systemd's executor before it executes the helper or ExecStopPost=, and
systemd itself when it puts a session into its scope.  Who comes soon after another waits for nothing (percpu-rwsem and
rcu_sync in the kernel; the mount option favordynmods of cgroup2 makes it so for good).  So a child of the command moves
itself to where it is, which changes nothing, a few times: the grace period goes by while the command still loads its
modules.  Where others do so all the time it is not needed, and ends at once; where it is not allowed, or nothing is
gained, nothing is lost but the child.
"""

from __future__ import annotations

import os
import time

_INTERVAL = 0.004  # seconds; a grace period takes longer on a machine that is idle
_DURATION = 0.15  # a start that takes longer waits for something else
_IDLE = 0.001  # who waits less was not the first in a while
_SIGKILL = 9


class Moving:
    """The child, while there is one.  It holds nothing of the command's, and ends with it.

    *cgroups* is where cgroup2 is mounted.
    """

    def __init__(self, cgroups: str) -> None:
        self.cgroups = cgroups
        self.child = 0

    def begin(self) -> None:
        """Have a child for a moment, if there is none yet."""
        if self.child:
            return
        command = os.getpid()
        try:
            child = os.fork()
            if child == 0:
                _move(self.cgroups, command)
            self.child = child
        except OSError:
            pass  # too many processes: then it takes longer
        finally:
            if os.getpid() != command:
                os._exit(0)  # whatever signal came

    def end(self) -> None:
        """End the child."""
        child, self.child = self.child, 0
        if child:
            os.kill(child, _SIGKILL)
            os.waitpid(child, 0)


def _move(cgroups: str, command: int) -> None:
    os.closerange(0, 1 << 20)  # locks, connections, pipes of who waits for the command's output
    end = time.monotonic() + _DURATION
    with open("/proc/self/cgroup", "rb") as file:
        path = own_path(file.read())
    fd = os.open(f"{cgroups}{path}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
    begun = time.monotonic()
    os.write(fd, b"0")
    if time.monotonic() - begun < _IDLE:
        return  # others move processes all the time
    while os.getppid() == command and time.monotonic() < end:
        time.sleep(_INTERVAL)
        os.write(fd, b"0")


def own_path(content: bytes) -> str:
    """The path of cgroup2 in /proc/PID/cgroup, see cgroups(7); empty for the root, and where there is none."""
    return os.fsdecode((b"\n" + content).partition(b"\n0::")[2].partition(b"\n")[0]).rstrip("/")
