"""`nsunit cgroup exec` and `classify`: processes into groups of the caller's own."""

from __future__ import annotations

import errno
import os
import signal

from nsunit.bus.protocol import ACCESS_DENIED
from nsunit.errors import BusError, NotFoundError, NsunitError, SessionError
from nsunit.features.cgroup.deeds import find, write_file
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context
    from nsunit.features.cgroup.plan import Group

_EBUSY = "System.Error.EBUSY"


def classify(context: Context, group: Group, pids: Sequence[int]) -> list[NsunitError]:
    """Move the processes *pids* into *group*; returns what went wrong, one error for each that could not be moved.

    Raises:
        NotFoundError: there is no such group.
    """
    find(group)
    failures = []
    for pid in pids:
        try:
            attach(context, group, pid)
        except NsunitError as error:
            failures.append(error)
    return failures


def attach(context: Context, group: Group, pid: int) -> None:
    """Move process *pid* into *group*.

    systemd does it for root, and for the user the group's tasks were given to; for anybody else the kernel decides.

    Raises:
        NsunitError: it cannot be moved.
    """
    path = find(group)
    if not os.path.isdir(f"/proc/{pid}"):
        raise NotFoundError(f"there is no process {pid}")
    try:
        try:
            context.bus.attach(group.unit, "/" + "/".join(group.below), (pid,))
        except BusError as error:
            if error.name != ACCESS_DENIED:
                raise
            write_file(f"{path}/cgroup.procs", str(pid))
    except (BusError, OSError) as error:
        raise _not_moved(group, pid, error) from None


def _not_moved(group: Group, pid: int, error: BusError | OSError) -> NsunitError:
    if (error.name if isinstance(error, BusError) else error.errno) in (_EBUSY, errno.EBUSY):
        return NsunitError(
            f"'{group.path}' has subgroups with controllers, so it can have no processes",
            hint="the kernel has processes in the innermost groups only; name one of its subgroups",
        )
    if isinstance(error, BusError):
        return error
    if error.errno == errno.ESRCH:
        return NotFoundError(f"there is no process {pid}")
    if error.errno in (errno.EACCES, errno.EPERM):
        return NsunitError(
            f"the kernel does not let you move process {pid} into '{group.path}'",
            hint="that takes your own process, and a group that root has made with '-t' for you; else write permission "
            "on cgroup.procs of the innermost cgroup that has both its old and its new place in it",
        )
    return NsunitError(f"process {pid} cannot be moved into '{group.path}': {error.strerror}")


def execute(context: Context, group: Group, argv: Sequence[str]) -> None:
    """Become the command *argv*, in *group*.

    Raises:
        SessionError: it cannot be executed.
        NsunitError: this process cannot be moved there.
    """
    attach(context, group, os.getpid())
    context.bus.close()
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these, and so would the command
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(argv[0], list(argv))
    except (OSError, ValueError) as error:
        text = error.strerror if isinstance(error, OSError) else str(error)
        status = 127 if isinstance(error, FileNotFoundError) else 126
        raise SessionError(f"cannot execute '{printable(argv[0])}': {text}", status) from None
