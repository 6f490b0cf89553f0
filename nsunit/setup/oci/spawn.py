"""From steps to a process that waits in its namespaces.

The runtime forks the container's process into its cgroup, and that joins and makes the namespaces; that of
processes only its children would be in, so the runtime has entered this one before, and goes back.  Where it could not
go back, or the namespace of processes belongs to a user namespace, there is a middle process instead, which does all of
it, forks the container's process, and exits.  Either way this one becomes a child of the nearest subreaper: of conmon,
a shim, or the runtime itself when it stays.  It talks to the runtime on a socket pair, whose end says that it has
ended, as its end says to the process that the runtime has.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum

from nsunit.setup import linux, namespaces
from nsunit.setup import system as os
from nsunit.setup.oci.process import CannotFindError
from nsunit.setup.oci.step import Box, Channel, HookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.setup.operation import Operation

_USER, _PID = "user", "pid"
_KILLED = "the container's process was killed while it was set up"


class StartError(Exception):
    """The container's process could not be made; the text is one line."""


class Spaces:
    """The namespaces of a container.

    *made* are the kinds of `namespaces.KINDS` to be made, *joined* pairs of a kind and a descriptor; *offsets* is the
    content of timens_offsets.
    """

    def __init__(self) -> None:
        self.made: tuple[str, ...] = ()
        self.joined: list[tuple[str, int]] = []
        self.offsets = ""
        self.pidfd = -1  # of a process whose namespaces are joined: `exec`
        self.pidfd_kinds: tuple[str, ...] = ()
        self.keeps_groups = False
        self.can_return = False  # whether the caller may enter its own PID namespace once more

    @property
    def has_new_users(self) -> bool:
        """Whether there is a user namespace to be made."""
        return _USER in self.made

    @property
    def needs_middle(self) -> bool:
        """Whether the caller cannot fork the process right into its PID namespace."""
        kinds = (*self.made, *(kind for kind, _ in self.joined), *self.pidfd_kinds)
        return not self.can_return or _USER in kinds or "time" in self.made  # of the time only children are


class Answers:
    """What the runtime does when the container's processes ask for it; each may raise."""

    def group(self) -> int:
        """A descriptor of the cgroup to fork into; -1 where there is none, or none before there is a process."""
        return -1

    def left(self) -> None:
        """Close what is the runtime's alone: this is called in the new process."""

    def placed(self, pid: int, *, inside: bool) -> None:
        """Put process *pid* into its cgroup, unless it is *inside*: it has no namespace yet."""

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
    middle = pid = 0
    group = answers.group()
    try:
        if spaces.needs_middle:
            middle, inside = _fork(group)
        else:
            pid, inside = _fork_inside(spaces, group)
    except OSError as error:
        raise StartError(f"unable to enter the namespaces: {error.strerror}") from None
    finally:
        if group >= 0:
            os.close(group)
    if not middle and not pid:
        other.close()
        answers.left()
        (_middle if spaces.needs_middle else _first)(spaces, steps, box)
    box.channel.close()
    made = _Made(middle, pid, inside=inside)
    try:
        _serve(made, other, answers)
        return made.pid
    except BaseException:
        made.end()
        raise
    finally:
        made.close()
        other.close()


class _Made:
    """The container's process, and the middle one as long as that is there; 0 is none.

    *inside* is whether the first of them was forked into the cgroup.
    """

    def __init__(self, middle: int, pid: int, *, inside: bool) -> None:
        self.middle = middle
        self.pid = pid
        self.inside = inside
        self.pidfd = -1  # of what the middle one has forked: as another's child it may be gone, and its number be used

    def note(self, pid: int) -> None:
        """Note that the middle process has forked process *pid*, which waits for an answer, and ends.

        Raises:
            StartError: it was killed.
        """
        os.waitpid(self.middle, 0)
        self.middle = 0
        try:
            self.pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            raise StartError(_KILLED) from None
        self.pid = pid

    def end(self) -> None:
        """Kill them."""
        if self.pidfd >= 0:
            try:
                _signal.pidfd_send_signal(self.pidfd, 9)
            except ProcessLookupError:
                pass
        for process in filter(None, (self.middle, self.pid if self.pidfd < 0 else 0)):
            _end(process)
        # A subreaper's own is waited for, too: process 1 of its namespace would wait for somebody to do it.
        for process in filter(None, (self.pid, self.middle)):
            _reap(process)

    def close(self) -> None:
        """Let go of them."""
        if self.pidfd >= 0:
            os.close(self.pidfd)


def _serve(made: _Made, other: Channel, answers: Answers) -> None:
    """Do what the processes *made* ask for on *other*, until the container waits, or has executed its program.

    Raises:
        StartError: they have failed, or were killed.
    """
    while True:
        word, text = other.receive()
        if word == "place":
            answers.placed(made.middle or made.pid, inside=made.inside)
        elif word == "maps":
            answers.mapped(made.middle)
        elif word == "pid":
            if made.middle:
                made.note(int(text))
            answers.forked(made.pid)
        elif word == "hooks":
            answers.hooks(made.pid)
        elif word == "listener":
            answers.listener(made.pid, int(text))
        elif word == "ready":
            answers.ready(made.pid)
            other.answer()
            return
        elif word == "executing":
            other.answer()
            word, text = other.receive()
            if word:
                raise StartError(text)
            return
        elif word == "error":
            raise StartError(text)
        else:
            raise StartError(_KILLED)
        other.answer()


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


def _fork(group: int) -> tuple[int, bool]:
    """fork(2) into the cgroup *group*, and whether the process is there, for which there is a second way."""
    if group >= 0:
        try:
            return linux.fork_into(group), True
        except OSError:
            pass  # a filter, or a limit of processes, to which those that are moved are no subject
    return os.fork(), False


def _fork_inside(spaces: Spaces, group: int) -> tuple[int, bool]:
    """_fork() into the PID namespace of *spaces*: the process is in it, as its first if it is new."""
    joined = [fd for kind, fd in spaces.joined if kind == _PID]
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    pid = -1
    try:
        if _PID in spaces.made:
            linux.unshare(linux.CLONE_NEWPID)
        elif joined or _PID in spaces.pidfd_kinds:
            linux.setns(joined[0] if joined else spaces.pidfd, linux.CLONE_NEWPID)
        pid, inside = _fork(group)
    finally:
        if pid:  # the caller's next child may be a hook
            linux.setns(own, linux.CLONE_NEWPID)
        os.close(own)
    return pid, inside


def _first(spaces: Spaces, steps: Sequence[Operation], box: Box) -> None:
    """What the container's process does where there is none in between."""
    try:
        _enter_all(spaces, box)
        box.channel.send("pid")
    except BaseException as error:
        _give_up(box.channel, error)
    _container(steps, box)


def _middle(spaces: Spaces, steps: Sequence[Operation], box: Box) -> None:
    try:
        _enter_all(spaces, box)
        pid = os.fork()
        if pid == 0:
            _container(steps, box)
        box.channel.send("pid", str(pid))  # the answer is for the other, which waits for it
    except BaseException as error:
        _give_up(box.channel, error)
    os._exit(0)


def _give_up(channel: Channel, error: BaseException) -> None:
    text = error.strerror or str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
    channel.send("error", f"unable to enter the namespaces: {text}")
    os._exit(0)


def _enter_all(spaces: Spaces, box: Box) -> None:
    """Be put into the cgroup, and enter the namespaces."""
    for number in (_signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT, _signal.SIGTERM):
        _signal.signal(number, _signal.SIG_DFL)
    box.channel.call("place")
    if box.place_fd >= 0:
        os.fchdir(box.place_fd)
    _enter(spaces, box.channel)


def _enter(spaces: Spaces, channel: Channel) -> None:
    later = []
    inside = not spaces.needs_middle  # it has been forked into its PID namespace
    users = [fd for kind, fd in spaces.joined if kind == _USER]
    for kind, fd in spaces.joined:
        if kind != _USER and not (inside and kind == _PID):
            try:
                linux.setns(fd, namespaces.KINDS[kind])
            except PermissionError:
                if not users and not spaces.has_new_users:
                    raise
                later.append((kind, fd))  # it belongs to the user namespace
    for fd in users:
        linux.setns(fd, linux.CLONE_NEWUSER)
    if spaces.pidfd >= 0:
        flags = _flags(spaces.pidfd_kinds, without=_PID if inside else "")
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
    flags = _flags(spaces.made, without=_PID if inside else _USER)
    if flags:
        linux.unshare(flags)
    if spaces.offsets:
        namespaces.write_file("/proc/self/timens_offsets", spaces.offsets)
    linux.prctl(linux.PR_SET_DUMPABLE, 0)


def _flags(kinds: Sequence[str], *, without: str) -> int:
    return sum(namespaces.KINDS[kind] for kind in kinds if kind != without)


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
    step: Operation | None = None
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
        what = _described(step)
        where = f" ('{error.filename}')" if error.filename and error.filename not in what else ""
        text = f"{what}: {(error.strerror or str(error))}{where}"
    except BaseException as error:
        text = f"{_described(step)}: {type(error).__name__}: {error}"
    try:
        if box.is_ready:
            os.write(box.reply_fd, text.encode("utf-8", "replace")[:4000])
        else:
            box.channel.send("error", text)
    finally:
        os._exit(127)


def _described(step: Operation | None) -> str:
    """What *step* does; None before the first."""
    return step.describe() if step else "begin"
