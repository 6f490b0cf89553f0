"""One lock for each container's name, so that commands on the same container take turns; and one of the kernel's."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import _thread  # the C half of threading
import fcntl
import os
import time

from nsunit.errors import NsunitError
from nsunit.storage.files import Named, make_private_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType, TracebackType

_INTERVAL = 0.004  # seconds; a grace period takes longer on a machine that is idle
_DURATION = 0.15  # a start that takes longer waits for something else
_AGAIN = 0.05  # seconds, between the signals that end a wait
_IDLE = 0.001  # who waits less was not the first in a while


class Lock:
    """An flock(2) on a file of its own, as a context manager.  The file goes away with the last holder."""

    def __init__(self, directory: str, name: str, timeout: float = 120.0) -> None:
        self.directory = directory
        self.name = name
        self.path = f"{directory}/{name}"
        self.timeout = timeout
        self.fd = -1

    def __enter__(self) -> Lock:
        """Wait for the lock.

        Raises:
            NsunitError: another command has held it for *timeout* seconds.
        """
        make_private_directory(self.directory)
        deadline = time.monotonic() + self.timeout
        while True:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                with Named(self.path):
                    flock(fd, deadline - time.monotonic())
                if self._is_current(fd):
                    self.fd = fd
                    return self
            except TimeoutError:
                raise NsunitError(
                    f"{self.name}: another command has been working on it for {self.timeout:.0f} s",
                    hint=f"see who holds '{self.path}' with 'fuser'",
                ) from None
            finally:
                # The last holder removed the file while we waited: lock its successor.  Or we are interrupted: what is
                # undone then may need this lock.
                if self.fd != fd:
                    os.close(fd)

    def _is_current(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), os.lstat(self.path))
        except FileNotFoundError:
            return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let go."""
        self.release()

    def release(self) -> None:
        """Remove the file while it is still locked, then let go; doing it twice is harmless."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            try:
                if self._is_current(fd):  # else somebody has removed it, and another may hold the lock of a new file
                    os.unlink(self.path)
            finally:
                os.close(fd)


def hold(directory: str) -> int:
    """Lock *directory* itself, for as long as this process has what is below in use.

    Returns a descriptor, which lets go when it is closed, by the end of this process at the latest.
    """
    fd = _open_directory(directory)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def wait_until_left(directory: str, timeout: float) -> bool:
    """Wait until nobody has hold of *directory*, or it is gone; tells whether it is so within *timeout* seconds."""
    try:
        fd = _open_directory(directory)
    except FileNotFoundError:
        return True
    try:
        flock(fd, timeout)
    except TimeoutError:
        return False
    finally:
        os.close(fd)
    return True


def _open_directory(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def flock(fd: int, timeout: float) -> None:
    """Lock *fd*.  flock(2) has no time limit of its own, so a timer signal ends the wait.

    Raises:
        TimeoutError: somebody else has held it for *timeout* seconds.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        previous = _signal.getsignal(_signal.SIGALRM)
        try:
            _signal.signal(_signal.SIGALRM, _time_out)
            # It comes again, since the first may come just before the wait, when Python has looked for signals already.
            _signal.setitimer(_signal.ITIMER_REAL, max(timeout, 0.001), _AGAIN)
            fcntl.flock(fd, fcntl.LOCK_EX)
        finally:
            _signal.setitimer(_signal.ITIMER_REAL, 0)
            _signal.signal(_signal.SIGALRM, previous)


def _time_out(_number: int, _frame: FrameType | None) -> None:
    _signal.setitimer(_signal.ITIMER_REAL, 0)
    raise TimeoutError


class Moving:
    """Keeps the kernel ready to move processes between cgroups while systemd does so for a command.

    This is a trick.  Whoever moves a process takes a lock of the whole system for writing, and the first one in a
    while waits for an RCU grace period, 10 ms and more: systemd's executor before it executes the helper, and systemd
    itself when it puts a session into its scope.  Who comes soon after another waits for nothing (percpu-rwsem and
    rcu_sync in the kernel; the mount option favordynmods of cgroup2 makes it so for good).  So a thread of the command
    moves the command to where it is, which changes nothing, a few times: the grace period goes by while the command
    still loads its modules.  Where others do so all the time it is not needed, and ends at once; where it is not
    allowed, nothing is lost.

    *cgroups* is where cgroup2 is mounted.
    """

    def __init__(self, cgroups: str) -> None:
        self.cgroups = cgroups
        self.task = 0
        self._asked = _thread.allocate_lock()  # let go when the thread is to end
        self._ended = _thread.allocate_lock()  # let go when it has ended

    def begin(self) -> None:
        """Have a thread for a moment, if there is none yet; but for users, who may not move anything, as a rule."""
        if self.task or os.geteuid():
            return
        begun, self._asked, self._ended = (_thread.allocate_lock() for _ in range(3))
        for lock in (begun, self._asked, self._ended):
            lock.acquire()
        try:
            _thread.start_new_thread(self._run, (begun,))
        except RuntimeError:  # too many threads: then it takes longer
            return
        begun.acquire()

    def end(self) -> None:
        """End the thread, and wait until it is gone: namespaces are left and entered only by who has no other one."""
        task, self.task = self.task, 0
        if task:
            self._asked.release()
            self._ended.acquire()
            while os.path.exists(f"/proc/self/task/{task}"):
                os.sched_yield()

    def _run(self, begun: _thread.LockType) -> None:
        self.task = _thread.get_native_id()
        begun.release()
        try:
            self._move()
        except OSError:
            pass  # not allowed to
        finally:
            self._ended.release()

    def _move(self) -> None:
        end = time.monotonic() + _DURATION
        with open("/proc/self/cgroup", "rb") as file:
            path = own_path(file.read())
        with open(f"{self.cgroups}{path}/cgroup.procs", "r+b", 0) as procs:
            begun = time.monotonic()
            procs.write(b"0")
            if time.monotonic() - begun < _IDLE:
                return  # others move processes all the time
            while not self._asked.acquire(timeout=_INTERVAL) and time.monotonic() < end:
                procs.write(b"0")


def own_path(content: bytes) -> str:
    """The path of cgroup2 in /proc/PID/cgroup, see cgroups(7); empty for the root, and where there is none."""
    return os.fsdecode((b"\n" + content).partition(b"\n0::")[2].partition(b"\n")[0]).rstrip("/")
