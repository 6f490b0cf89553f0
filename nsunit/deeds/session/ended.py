"""Whether a container's end is why something with it has failed.  Loaded when something has."""

from __future__ import annotations

import select

from nsunit.core.jobs import JOB_TIMEOUT, stop_what_is_left
from nsunit.core.running import is_same
from nsunit.errors import BusError, NsunitError
from nsunit.names import group_slice, groups_of_slice
from nsunit.setup import CGROUP_ROOT
from nsunit.storage.lock import Lock
from nsunit.storage.processes import unit_processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.core.running import Running

LOCK_TIMEOUT = 5.0
_PF_EXITING = 0x4  # linux/sched.h
_FLAGS = 6  # field 9 of proc_pid_stat(5), counted after the name


def has_ended(context: Context, running: Running, pidfd: int) -> bool:
    """Whether the payload behind *pidfd* ends or has ended, or its unit is being stopped or has another one by now.

    Process 1 of a PID namespace is there until all others in it have gone, but from its exit on nobody can join it:
    setns(2) finds no such process, fork(2) no memory, and who is inside already is killed.
    """
    flags = _flags(running.pid)
    return _is_gone(pidfd) or bool(flags & _PF_EXITING) or not is_same(context, running)


def forget_session(context: Context, running: Running, scope: str) -> None:
    """See that nothing is left of *scope*, which came too late for the container *running*.

    By its Slice= it may have made systemd start the container's slice again, and those of its groups, without all that
    a start gives to them; slices of that kind would stay for ever.
    """
    stop_what_is_left(context, scope, JOB_TIMEOUT)
    slice_ = running.slice
    _forget_slice(context, slice_, running.name)
    if "-" in slice_.removeprefix("nsunit-"):
        groups = groups_of_slice(slice_)
        for group in reversed(groups):
            _forget_slice(context, group_slice(group), groups[0])


def _forget_slice(context: Context, slice_: str, lock: str) -> None:
    """Stop *slice_* if nobody has started it and nothing is in it; whoever starts it holds *lock*."""
    if not _is_implicit(context, slice_):
        return
    try:
        with Lock(context.paths.locks, lock, timeout=LOCK_TIMEOUT):
            if _is_implicit(context, slice_) and not unit_processes(CGROUP_ROOT, _group_of(context, slice_)):
                stop_what_is_left(context, slice_, JOB_TIMEOUT)
    except BusError:
        raise
    except NsunitError:
        pass  # somebody else is at work on it: a start makes the slice its own, a stop ends it


def _group_of(context: Context, unit: str) -> str:
    return str(context.bus.get(unit, "ControlGroup").get("ControlGroup", ""))


def _is_implicit(context: Context, slice_: str) -> bool:
    """Whether *slice_* is only there since something needed it: one that was started has a file."""
    state = context.bus.get(slice_, "ActiveState", "FragmentPath")
    return state.get("ActiveState") == "active" and not state.get("FragmentPath")


def _is_gone(pidfd: int) -> bool:
    """Whether its number may be another process's; as long as it is not, what was read by that number is true."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def _flags(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="surrogateescape") as file:
            return int(file.read().rpartition(")")[2].split()[_FLAGS])
    except (FileNotFoundError, ProcessLookupError):
        return _PF_EXITING
