"""One lock for each container's name, so that commands on the same container take turns."""

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
