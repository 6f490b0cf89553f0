"""The ends of programs that a command has asked to stop: it detaches their containers in place of their units."""

from __future__ import annotations

import fcntl
import os
import select
import time

from nsunit.errors import NsunitError
from nsunit.features.network import program
from nsunit.storage.lock import flock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from nsunit.storage.paths import Paths

_ENDS_MAX = 64  # that are waited for at once: each takes two descriptors, of which the locks need as many as they get
_TURN_SECONDS = 0.4  # for those that have ended at about the same time


class Ends:
    """A `nsunit.bus.protocol.Watched`: those of the containers to be stopped that are connected.

    Without it a Python that systemd starts in each unit (ExecStopPost=) would detach them.  Where this has begun, the
    unit waits for it, and does what it has not finished.  What it comes too late for, it leaves to the unit.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._epoll = select.epoll()
        self._waiting: dict[int, tuple[str, int]] = {}  # name, and descriptor of its file, by that of its main process

    def fileno(self) -> int:
        """A descriptor that can be read from when one has ended."""
        return self._epoll.fileno()

    def add(self, name: str, state: Mapping[str, object]) -> None:
        """Wait for the end of container *name*, of whose unit *state* tells, if that is connected.

        ExecStop= may go on after that, and its network is there until then.
        """
        pid = state.get("MainPID")
        if not isinstance(pid, int) or not pid or state.get("ExecStop") or len(self._waiting) >= _ENDS_MAX:
            return
        try:
            fd = os.open(f"{self._paths.attached}/{name}", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return
        try:
            process = os.pidfd_open(pid)
        except OSError:
            os.close(fd)
            return
        self._waiting[process] = name, fd
        self._epoll.register(process, select.EPOLLIN)

    def look(self) -> None:
        """Detach those that have ended, as long as their units may be kept waiting."""
        deadline = time.monotonic() + _TURN_SECONDS
        ended = self._take()
        while ended:
            name, fd = ended.pop(0)
            try:
                if (left := deadline - time.monotonic()) > 0:
                    self._detach(name, fd, left)
            except (NsunitError, OSError):
                pass  # its unit tries again, and says why
            finally:
                os.close(fd)
            ended += self._take()

    def _detach(self, name: str, fd: int, seconds: float) -> None:
        program.detach_ended(name, fd, self._paths.locks, lambda lock: flock(lock, seconds))

    def _take(self) -> list[tuple[str, int]]:
        """Lock those that have ended since, before their units do, which take some milliseconds for that."""
        taken = []
        for process, _ in self._epoll.poll(0) if self._waiting else ():
            name, fd = self._waiting.pop(process)
            os.close(process)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                taken.append((name, fd))
            except BlockingIOError:
                os.close(fd)
        return taken

    def close(self) -> None:
        """Leave all others to their units."""
        for process, (_, fd) in self._waiting.items():
            os.close(process)
            os.close(fd)
        self._epoll.close()
