"""One check: a command in the container, in a control group of its own below the container's service."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import os
import select
import time

from nsunit.core.running import cgroup_of, thread_of
from nsunit.setup import CGROUP_ROOT, spawn
from nsunit.setup.build import Build
from nsunit.setup.process import of_session
from nsunit.storage.files import read_kernel_file
from nsunit.storage.health import OUTPUT_MAX, TIMED_OUT, Result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from nsunit.setup.operation import Operation

SUBGROUP = "health"
_CHUNK = 1 << 16
_LAST_CHUNKS = 16  # as many as a pipe holds
_END_SECONDS = 5.0  # for the kernel to end what was killed
_BUSY = 16  # EBUSY
_AGAIN = 0.05  # seconds, between the signals that end a check
_POLL_MAX = (1 << 31) - 1  # ms, 24 days: an int of poll(2)


class _TimeIsOverError(Exception):
    pass


class Payload:
    """The process that is checked: process *pid* in the control group *group*, a path below the mount point."""

    def __init__(self, pid: int, group: str) -> None:
        self.pid = pid
        self.group = group
        self.pidfd = os.pidfd_open(pid)
        if not f"{cgroup_of(pid)}/".startswith(f"{group}/"):
            self.close()
            raise ProcessLookupError(3, "its number is another process's by now")

    def close(self) -> None:
        """Let go of it."""
        os.close(self.pidfd)

    def has_ended(self, seconds: float = 0) -> bool:
        """Whether it has ended; waits up to *seconds* for that."""
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(min(int(seconds * 1000), _POLL_MAX)))

    def is_frozen(self) -> bool:
        """Whether it, or a slice above, is frozen."""
        return "frozen 1\n" in (read_kernel_file(f"{CGROUP_ROOT}{self.group}/cgroup.events") or "")


class Group:
    """A control group for one check; all that is in it ends with the context."""

    def __init__(self, payload: Payload) -> None:
        self.path = f"{CGROUP_ROOT}{payload.group}/{SUBGROUP}"

    def __enter__(self) -> Group:
        try:
            os.mkdir(self.path, 0o755)
        except FileExistsError:
            self.kill()  # of a check whose program was killed
        return self

    def admit(self, pid: int) -> None:
        """Put process *pid* in."""
        with open(f"{self.path}/cgroup.procs", "w") as file:
            file.write(str(pid))

    def kill(self) -> None:
        """Kill all that is in it, and wait for the end of that."""
        with open(f"{self.path}/cgroup.kill", "w") as file:
            file.write("1")
        with open(f"{self.path}/cgroup.events") as events:
            poll = select.poll()
            poll.register(events, select.POLLPRI)
            deadline = time.monotonic() + _END_SECONDS
            while "populated 1" in os.pread(events.fileno(), 4096, 0).decode() and time.monotonic() < deadline:
                poll.poll(int(_END_SECONDS * 1000))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.kill()
            os.rmdir(self.path)
        except FileNotFoundError:
            return  # the container's end has taken it along
        except OSError as failure:
            if failure.errno != _BUSY:  # what hangs in the kernel is killed again by the next check
                raise


def check(payload: Payload, plan: Sequence[Operation], command: Sequence[str], seconds: float) -> Result | None:
    """Run *command* beside *payload*, as *plan* has it; None if that was frozen or ended, which tells nothing.

    Raises:
        OSError: the control group cannot be made.
    """
    begun = time.monotonic()
    output = b""
    try:
        with Group(payload) as group:
            _signal.signal(_signal.SIGALRM, _time_is_over)
            # It comes again, since the first may come just before a wait, when Python has looked for signals already.
            _signal.setitimer(_signal.ITIMER_REAL, seconds, _AGAIN)
            try:
                status, output = _run(payload, group, plan, command)
            except _TimeIsOverError:
                status, output = TIMED_OUT, b"it was killed when its time was over"
            except (spawn.SetupError, OSError) as error:
                status, output = getattr(error, "status", spawn.EXIT_SETUP), str(error).encode()
            finally:
                _signal.setitimer(_signal.ITIMER_REAL, 0)
            if status and payload.is_frozen():
                return None
    finally:
        _reap()
    # What ends together with the container, or is in the way of its end, is no failure.
    if status and payload.has_ended(_SOON):
        return None
    took = int((time.monotonic() - begun) * 1_000_000)
    return Result(time.time_ns() // 1000, took, status, output.decode("utf-8", "replace"))


_SOON = 0.1  # s


def _time_is_over(_number: int, _frame: object) -> None:
    _signal.setitimer(_signal.ITIMER_REAL, 0)
    raise _TimeIsOverError


def _run(payload: Payload, group: Group, plan: Sequence[Operation], command: Sequence[str]) -> tuple[int, bytes]:
    build = Build("")
    build.pipes = ((1, 2),)
    build.keeps_groups = any(getattr(operation, "keeps_groups", False) for operation in plan)
    try:
        if thread_of(payload.pid) != f"/proc/{payload.pid}":
            raise OSError("the first thread of its program has ended, and the kernel lets nobody in any more")
        build.root_fd = os.open(f"/proc/{payload.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        if payload.has_ended():
            raise ProcessLookupError(3, "the container has ended")
        operations = of_session(plan, command)
        spawn.prepare(operations, build)
        enter = spawn.join(plan, payload.pidfd)
        pid = spawn.spawn(operations, build, enter, new_root=False, attached=True, before_enter=group.admit)
        pidfd = os.pidfd_open(pid)
        try:
            return _attend(pid, pidfd, build.pipe_fds[0])
        finally:
            os.close(pidfd)
    finally:  # one that is starting is tried thousands of times by the same program
        build.close()
        for fd in build.pipe_fds:
            os.close(fd)


def _attend(pid: int, pidfd: int, pipe: int) -> tuple[int, bytes]:
    """Wait for the end of process *pid*; returns its status, and the end of what came through *pipe*."""
    os.set_blocking(pipe, False)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.register(pipe, select.POLLIN)
    output = b""
    is_over = False
    while not is_over:
        ready = {fd for fd, _ in poll.poll()}
        is_over = pidfd in ready
        if pipe in ready:
            chunk = _read(pipe)
            output = (output + chunk)[-OUTPUT_MAX:]  # all is taken, so that it does not wait
            if not chunk:
                poll.unregister(pipe)
    for _ in range(_LAST_CHUNKS):  # what it has left behind may go on to write
        output = (output + _read(pipe))[-OUTPUT_MAX:]
    _, status = os.waitpid(pid, 0)
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), output


def _read(pipe: int) -> bytes:
    try:
        return os.read(pipe, _CHUNK)
    except BlockingIOError:
        return b""  # nothing more is there; a process that it has left may have the other end


def _reap() -> None:
    """Wait for what is a child of this process by now, and was killed."""
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return
