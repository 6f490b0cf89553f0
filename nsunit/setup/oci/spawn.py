"""From steps to a process that waits in its namespaces.

The runtime forks a middle process, which is put into the container's cgroup, joins and makes the namespaces and forks
the container's process; then it exits, so that this one becomes a child of the nearest subreaper: of conmon, a shim, or
the runtime itself when it stays.  Both talk to the runtime on a socket pair, whose end says that they have ended, as
its end says to them that the runtime has.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import os

from nsunit.setup import linux, namespaces
from nsunit.setup.oci.hooks import HookError
from nsunit.setup.oci.process import CannotFindError
from nsunit.setup.oci.step import Box, Channel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.setup.operation import Operation

_USER = "user"


class StartError(Exception):
    """The container's process could not be made; the text is one line."""


class Spaces:
    """The namespaces of a container.

    *made* are the kinds of `namespaces.KINDS` to be made, *joined* pairs of a kind and a descriptor; *offsets* is the
    content of timens_offsets, *domain* a persona or -1, *affinity* the processors while it is put into its cgroup.
    """

    def __init__(self) -> None:
        self.made: tuple[str, ...] = ()
        self.joined: list[tuple[str, int]] = []
        self.offsets = ""
        self.pidfd = -1  # of a process whose namespaces are joined: `exec`
        self.pidfd_kinds: tuple[str, ...] = ()
        self.keeps_groups = False

    @property
    def has_new_users(self) -> bool:
        """Whether there is a user namespace to be made."""
        return _USER in self.made


class Answers:
    """What the runtime does when the container's processes ask for it; each may raise."""

    def placed(self, pid: int) -> None:
        """Put process *pid* into its cgroup: it has no namespace yet."""

    def mapped(self, pid: int) -> None:
        """Write the maps of the new user namespace of process *pid*."""

    def forked(self, pid: int) -> None:
        """Note that *pid* is the container's process."""

    def hooks(self, pid: int) -> None:
        """Run the hooks of the runtime."""

    def listener(self, pid: int, fd: int) -> None:
        """Take the descriptor *fd* of process *pid*, a listener of seccomp(2), to who listens."""

    def ready(self, pid: int) -> None:
        """Note that the process waits to be started."""


def spawn(spaces: Spaces, steps: Sequence[Operation], box: Box, other: Channel, answers: Answers) -> int:
    """Make the process of *steps* and return its PID once it waits, or has executed its program.

    *box* has the container's end of the channel, *other* is the runtime's.

    Raises:
        StartError: it failed, in its own words; nothing is left running.
    """
    middle = os.fork()
    if middle == 0:
        other.close()
        _middle(spaces, steps, box)
    box.channel.close()
    pid = 0
    try:
        while True:
            word, text = other.receive()
            if word == "place":
                answers.placed(middle)
            elif word == "maps":
                answers.mapped(middle)
            elif word == "pid":
                pid = int(text)
                os.waitpid(middle, 0)
                middle = 0
                answers.forked(pid)
            elif word == "hooks":
                answers.hooks(pid)
            elif word == "listener":
                answers.listener(pid, int(text))
            elif word == "ready":
                answers.ready(pid)
                other.answer()
                return pid
            elif word == "executing":
                other.answer()
                word, text = other.receive()
                if word:
                    raise StartError(text)
                return pid
            elif word == "error":
                raise StartError(text)
            else:
                raise StartError("the container's process was killed while it was set up")
            other.answer()
    except BaseException:
        for process in (middle, pid):
            if process:
                _end(process)
        if pid:
            _reap(pid)  # a subreaper's own; process 1 of its namespace would wait for somebody to do it
        raise
    finally:
        if middle:
            _reap(middle)
        other.close()


def _end(pid: int) -> None:
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        pass


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        pass


def _middle(spaces: Spaces, steps: Sequence[Operation], box: Box) -> None:
    channel = box.channel
    try:
        for number in (_signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT, _signal.SIGTERM):
            _signal.signal(number, _signal.SIG_DFL)
        channel.call("place")
        if box.place_fd >= 0:
            os.fchdir(box.place_fd)
        _enter(spaces, channel)
        pid = os.fork()
        if pid == 0:
            _container(steps, box)
        channel.send("pid", str(pid))  # the answer is for the other, which waits for it
    except OSError as error:
        channel.send("error", f"unable to enter the namespaces: {error.strerror or error}")
    except BaseException as error:
        channel.send("error", f"unable to enter the namespaces: {type(error).__name__}: {error}")
    os._exit(0)


def _enter(spaces: Spaces, channel: Channel) -> None:
    later = []
    users = [fd for kind, fd in spaces.joined if kind == _USER]
    for kind, fd in spaces.joined:
        if kind != _USER:
            try:
                linux.setns(fd, namespaces.KINDS[kind])
            except PermissionError:
                if not users and not spaces.has_new_users:
                    raise
                later.append((kind, fd))  # it belongs to the user namespace
    for fd in users:
        linux.setns(fd, linux.CLONE_NEWUSER)
    if spaces.pidfd >= 0:
        flags = sum(namespaces.KINDS[kind] for kind in spaces.pidfd_kinds)
        if flags:
            linux.setns(spaces.pidfd, flags)
        if _USER in spaces.pidfd_kinds:
            _become_root()
    if spaces.has_new_users:
        linux.unshare(linux.CLONE_NEWUSER)
        channel.call("maps")
    if users or spaces.has_new_users:
        _become_root(keeps_groups=spaces.keeps_groups)
    for kind, fd in later:
        linux.setns(fd, namespaces.KINDS[kind])
    flags = sum(namespaces.KINDS[kind] for kind in spaces.made if kind != _USER)
    if flags:
        linux.unshare(flags)
    if spaces.offsets:
        namespaces.write_file("/proc/self/timens_offsets", spaces.offsets)
    linux.prctl(linux.PR_SET_DUMPABLE, 0)


def _become_root(*, keeps_groups: bool = False) -> None:
    try:
        if not keeps_groups:
            os.setgroups([])
    except PermissionError:
        pass  # a user without subordinate ids has no say about groups
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def _container(steps: Sequence[Operation], box: Box) -> None:
    text = "it has nothing to execute"
    try:
        box.channel.wait()
        os.setsid()
        os.umask(0o022)  # whatever the caller's: mount points are for all
        for step in steps:
            if not box.privileged:
                step.prepare(box)
            step.execute(box)
    except (CannotFindError, HookError) as error:
        text = str(error)
    except OSError as error:
        where = f" ('{error.filename}')" if error.filename and error.filename not in step.describe() else ""
        text = f"{step.describe()}: {(error.strerror or str(error))}{where}"
    except BaseException as error:
        text = f"{step.describe()}: {type(error).__name__}: {error}"
    try:
        if box.is_ready:
            os.write(box.reply_fd, text.encode("utf-8", "replace")[:4000])
        else:
            box.channel.send("error", text)
    finally:
        os._exit(127)
