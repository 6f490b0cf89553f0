"""One lock for each container's name, so that commands on the same container take turns; and one of the kernel's."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import fcntl
import os
import time

from nsunit.errors import NsunitError
from nsunit.storage.files import make_private_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType, TracebackType

_INTERVAL = 0.004  # seconds; a grace period takes longer on a machine that is idle
_DURATION = 0.15  # a start that takes longer waits for something else
_IDLE = 0.001  # who waits less was not the first in a while
_SIGKILL = 9


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
                _flock(fd, deadline - time.monotonic())
            except TimeoutError:
                os.close(fd)
                raise NsunitError(
                    f"{self.name}: another command has been working on it for {self.timeout:.0f} s",
                    hint=f"see who holds '{self.path}' with 'fuser'",
                ) from None
            if self._is_current(fd):
                self.fd = fd
                return self
            os.close(fd)  # the last holder removed the file while we waited: lock its successor

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
        if self.fd >= 0:
            os.unlink(self.path)
            os.close(self.fd)
            self.fd = -1


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
        _flock(fd, timeout)
    except TimeoutError:
        return False
    finally:
        os.close(fd)
    return True


def _open_directory(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _flock(fd: int, timeout: float) -> None:
    # flock(2) has no time limit of its own, so a timer signal ends the wait.
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        previous = _signal.signal(_signal.SIGALRM, _time_out)
        _signal.setitimer(_signal.ITIMER_REAL, max(timeout, 0.001))
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
        finally:
            _signal.setitimer(_signal.ITIMER_REAL, 0)
            _signal.signal(_signal.SIGALRM, previous)


def _time_out(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError


class Moving:
    """Keeps the kernel ready to move processes between cgroups while systemd does so for a command.

    This is a trick.  Whoever moves a process takes a lock of the whole system for writing, and the first one in a
    while waits for an RCU grace period, 10 ms and more: systemd's executor before it executes the helper or
    ExecStopPost=, and systemd itself when it puts a session into its scope.  Who comes soon after another waits for
    nothing (percpu-rwsem and rcu_sync in the kernel; the mount option favordynmods of cgroup2 makes it so for
    good).  So a child of the command moves itself to where it is, which changes nothing, a few times: the grace
    period goes by while the command still loads its modules.  Where others do so all the time it is not needed, and
    ends at once; where it is not allowed, or nothing is gained, nothing is lost but the child.

    The child holds nothing of the command's, and ends with it.  *cgroups* is where cgroup2 is mounted.
    """

    def __init__(self, cgroups: str) -> None:
        self.cgroups = cgroups
        self.child = 0

    def begin(self) -> None:
        """Have a child for a moment, if there is none yet; but for users, who may not move anything, as a rule."""
        if self.child or os.geteuid():
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
            os.waitpid(child, os.WNOHANG)  # it ends while the command goes on, or has ended


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
