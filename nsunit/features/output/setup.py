"""A pipe instead of the journal's socket for what a program writes; loaded where a plan has one.

A socket cannot be opened by name, so programs that log to /dev/stdout fail with ENXIO.  Somebody has to read the pipe:
the helper becomes cat(1) for that, beside the container in the unit's cgroup, so that the lines are the unit's.  It
ends when nobody has the other end any more.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half: the Python half imports enum
import fcntl
import os

from nsunit.setup import CGROUP_ROOT, linux, namespaces
from nsunit.setup.build import Build, carried_streams
from nsunit.setup.operation import Operation

CAT = "/bin/cat"
LOCK = "output"  # in the container's runtime directory
# The C library's own, and those that mean what they do.
_NOT_IGNORED = (_signal.SIGKILL, _signal.SIGSTOP, _signal.SIGPIPE, _signal.SIGCHLD, 32, 33)


class Pipes(Operation):
    """Make the payload's standard output and error pipes, and carry what it writes to the unit's.

    The carrier goes into *subgroup* of the unit's cgroup, unless that is empty: the payload's is the container's.
    """

    __slots__ = ("subgroup",)
    keyword = "output-pipes"
    enters = True
    subgroup: str

    def describe(self) -> str:
        """See Operation."""
        return f"carry its output by '{CAT}'"

    def open(self, build: Build) -> None:
        """Take a lock that lasts as long as a carrier has it; those of the run before a restart are ended.

        They were waited for.  Who is still there would carry on as long as somebody else has been given its pipe.
        """
        path = f"{build.workspace}/{LOCK}"
        try:
            before = os.stat(path)
            os.unlink(path)
            _end_carriers(self.subgroup, before)
        except FileNotFoundError:
            pass
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        build.keep(self, fd)

    def prepare(self, build: Build) -> None:
        """Ask for the pipes; a foreground run has some of its own."""
        os.stat(CAT)
        build.pipes = carried_streams()
        build.carry = lambda: self._carry(build)

    def _carry(self, build: Build) -> None:
        pairs = [(source, group[0]) for source, group in zip(build.pipe_fds, build.pipes, strict=True)]
        if not pairs:
            return
        os.set_inheritable(build.take(self), True)
        if self.subgroup:
            _move_to(self.subgroup)
        for source, sink in pairs[1:]:
            if os.fork() == 0:
                become_carrier(source, sink, own_users=build.own_users)
        become_carrier(*pairs[0], own_users=build.own_users)


def _end_carriers(subgroup: str, lock: os.stat_result) -> None:
    """Kill what is in *subgroup* of the unit's cgroup; in the unit's own only the processes that have *lock*."""
    unit, _ = namespaces.unit_and_slice(namespaces.own_cgroup())
    directory = f"{CGROUP_ROOT}{unit}"
    if subgroup:
        namespaces.write_file(f"{directory}/{subgroup}/cgroup.kill", "1")
        return
    for pid in namespaces.read_file(f"{directory}/cgroup.procs").split():
        try:
            pidfd = os.pidfd_open(int(pid))
        except ProcessLookupError:
            continue
        try:
            if _has_open(pid, lock):
                _signal.pidfd_send_signal(pidfd, _signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        finally:
            os.close(pidfd)


def _has_open(pid: str, lock: os.stat_result) -> bool:
    """Whether process *pid* of the unit has *lock*.

    A user's carrier is in the user namespace of the run before, into which this one cannot look: there its name has to
    do, since nothing else can be left of a run that has ended.
    """
    try:
        files = [os.stat(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    except PermissionError:
        return namespaces.read_file(f"/proc/{pid}/comm").strip() == os.path.basename(CAT)
    return any(os.path.samestat(file, lock) for file in files)


def _move_to(subgroup: str) -> None:
    """Move the calling process to *subgroup* of the unit's cgroup; systemd may have put it into the payload's."""
    unit, _ = namespaces.unit_and_slice(namespaces.own_cgroup())
    directory = f"{CGROUP_ROOT}{unit}/{subgroup}"
    try:
        os.mkdir(directory)
    except FileExistsError:
        pass  # left from the run before a restart
    namespaces.write_file(f"{directory}/cgroup.procs", "0")


def become_carrier(source: int, sink: int, *, own_users: bool) -> None:
    """Become what carries bytes from *source* to *sink*; does not return.  *own_users*: for a container without root.

    Raises:
        OSError: there is no cat.
    """
    # The mounts seen here are the helper's own copy of the host's: none of them should be kept from going away.
    if not own_users:
        host = os.open("/proc/1/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        linux.setns(host, linux.CLONE_NEWNS)
    os.chdir("/")
    # Whoever asks the container to end does not mean this: it has to see the last line through.
    for number in set(range(1, _signal.NSIG)) - {*_NOT_IGNORED}:
        _signal.signal(number, _signal.SIG_IGN)
    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    os.dup2(source, 0)
    os.dup2(sink, 1)
    os.execve(CAT, ["cat"], {})
