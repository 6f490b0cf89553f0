"""`nsunit cgroup`: groups of the caller's own, each the delegated cgroup of a unit, or one below; see plan.cgroups.

What is below a unit's cgroup is made, written and removed here, as the kernel allows it to the caller; the unit's own
cgroup and its limits are systemd's.  Names of groups hold no `..`, and a cgroup file system has no links, so that a
path stays where it begins even where a user may make directories.
"""

from __future__ import annotations

import errno
import os
import select
import stat

from nsunit.core.context import take_back
from nsunit.core.jobs import JOB_TIMEOUT
from nsunit.errors import NotFoundError, NsunitError
from nsunit.features.cgroup.plan import ALL, Access, Group, group_of_unit, group_unit, resolve_controllers
from nsunit.features.delegation.plan import CONTROLLERS
from nsunit.formats.cgroupfs import flat_keyed
from nsunit.names import ROOT_SLICE
from nsunit.record import Record
from nsunit.setup import CGROUP_ROOT
from nsunit.storage import tree
from nsunit.storage.files import read_kernel_file
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nsunit.core.context import Context

DELEGATE_LIST = "/sys/kernel/cgroup/delegate"
_TASK_FILES = ("cgroup.procs", "cgroup.threads")
_KILL_SECONDS = 10.0
_EBUSY = "System.Error.EBUSY"


class GroupState(Record):
    """A group that is there.  `processes` are those in it and not below; `uid` owns the cgroup."""

    path: str
    unit: str
    control_group: str
    controllers: tuple[str, ...]
    processes: int
    uid: int


def directory_of(group: Group) -> str:
    """The directory of *group*."""
    return CGROUP_ROOT + group.cgroup


def find(group: Group) -> str:
    """The directory of *group*.

    Raises:
        NotFoundError: it is not there.
    """
    path = directory_of(group)
    if not os.path.isdir(path):
        raise NotFoundError(f"there is no group '{group.path}'", hint="see 'nsunit cgroup list'")
    return path


def host_controllers() -> tuple[str, ...]:
    """The controllers that groups can have on this machine."""
    present = _words(f"{CGROUP_ROOT}/cgroup.controllers")
    return tuple(name for name in CONTROLLERS if name in present)


def check_controllers(context: Context, group: Group, names: Sequence[str]) -> None:
    """Check that *group* has been given the controllers *names*.

    Raises:
        NotFoundError: there is no such group.
        NsunitError: it lacks one of them.
    """
    find(group)
    wanted = resolve_controllers([item for item in names if item != ALL], host_controllers())
    present = controllers_of(context, group) if wanted else ()
    for name in wanted:
        if name not in present:
            raise _lacks(group, name, present)


def controllers_of(context: Context, group: Group) -> tuple[str, ...]:
    """The controllers that *group* has to stay: the kernel shows all that a neighbour has brought about as well."""
    return _to_stay(_given(context, group), directory_of(group))


def _given(context: Context, group: Group) -> Sequence[str]:
    given = context.bus.get(group.unit, "DelegateControllers").get("DelegateControllers")
    return given if isinstance(given, (list, tuple)) else ()


def _to_stay(given: Sequence[str], path: str) -> tuple[str, ...]:
    present = _words(path + "/cgroup.controllers")
    return tuple(name for name in CONTROLLERS if name in given and name in present)


# Making and removing


def create(context: Context, names: Sequence[str], group: Group, access: Access) -> None:
    """Make *group* with the controllers *names*, and what it is in; one that is there gets the new *access*.

    Raises:
        UsageError: a controller is none, or the kernel does not provide it.
        NsunitError: what is there already lacks a controller, or belongs to somebody else.
    """
    controllers = resolve_controllers(names, host_controllers())
    undo: list[Callable[[], object]] = []
    try:
        if os.path.isdir(directory_of(group.top)):
            _check_user(context, group, access)
        else:
            _create_top(context, group.top, controllers, access, undo)
        check_controllers(context, group.top, controllers)
        for parent, child in zip(group.parents, (*group.parents, group)[1:], strict=True):
            _create_below(parent, child, controllers, undo)
        _give(group, access)
    except BaseException:
        take_back(undo)
        raise


def _create_top(
    context: Context, group: Group, controllers: Sequence[str], access: Access, undo: list[Callable[[], object]]
) -> None:
    if os.geteuid() != 0:
        raise NsunitError(
            f"only root can make the group '{group.path}'",
            hint=f"root does it for you with 'nsunit cgroup create -a USER -t USER -g …:{group.path}'",
        )
    with Lock(context.paths.locks, f"cgroup:{group.name}"):
        if context.bus.get(group.unit, "ActiveState").get("ActiveState") != "active":
            job = context.bus.start_transient(group_unit(group, controllers, access.tasks[0] if access.tasks else None))
            undo.append(lambda: _stop(context, group))  # before it is there: a signal may come while that is waited for
            result = context.bus.wait(job, JOB_TIMEOUT)
            if result != "done":
                undo.pop()
                raise NsunitError(
                    f"the start of {group.unit} ended as '{result}'", hint=f"see 'systemctl status {group.unit}'"
                )
        _realize(context, group)


def _realize(context: Context, group: Group) -> None:
    """Have systemd make the unit's cgroup, which it does when a process is attached: one that ends at once."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    os.close(reader)
    try:
        context.bus.attach(group.unit, "/", (pid,))
    finally:
        os.close(writer)
        os.waitpid(pid, 0)


def _check_user(context: Context, group: Group, access: Access) -> None:
    """Refuse tasks of another user than those that systemd attaches to the unit; it cannot be told later."""
    if access.tasks is None or os.geteuid() != 0:
        return
    user = str(context.bus.get(group.unit, "User").get("User") or 0)
    if user != str(access.tasks[0]):
        raise NsunitError(
            f"the group '{group.name}' was made for tasks of user {user}, not {access.tasks[0]}",
            hint=f"delete '{group.name}' and make it anew with -t",
        )


def _create_below(parent: Group, child: Group, controllers: Sequence[str], undo: list[Callable[[], object]]) -> None:
    above, path = directory_of(parent), directory_of(child)
    present = _words(above + "/cgroup.controllers")
    for name in controllers:
        if name not in present:
            raise _lacks(parent, name, present)
    new = [name for name in controllers if name not in _words(above + "/cgroup.subtree_control")]
    try:
        if not os.path.isdir(path):
            os.mkdir(path)
            undo.append(lambda: os.rmdir(path))
        if new:
            write_file(above + "/cgroup.subtree_control", " ".join(f"+{name}" for name in new))
            undo.append(lambda: write_file(above + "/cgroup.subtree_control", " ".join(f"-{name}" for name in new)))
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise NsunitError(
                f"'{parent.path}' has processes, so it can have no subgroups with controllers",
                hint="the kernel has processes in the innermost groups only; 'nsunit cgroup classify' moves them",
            ) from None
        raise _forbidden(error, f"make '{child.path}'", parent) from None


def _give(group: Group, access: Access) -> None:
    """Hand *group* to the users that *access* names.

    Of a unit's cgroup that is what the kernel has for it: subgroups can be made and processes be moved, its own limits
    stay systemd's.  Of a subgroup it is all.
    """
    path = directory_of(group)
    tasks = [name for name in _TASK_FILES if os.path.exists(f"{path}/{name}")]
    listed = os.listdir(path) if group.below else _words(DELEGATE_LIST)
    others = [name for name in listed if name not in _TASK_FILES and os.path.isfile(f"{path}/{name}")]
    try:
        _give_files(path, [""], access.admin, access.directory_mode)
        _give_files(path, others, access.admin, access.file_mode)
        _give_files(path, tasks, access.tasks, access.tasks_mode)
    except OSError as error:
        raise _forbidden(error, f"change the owner or mode of '{group.path}'", group) from None


def _give_files(path: str, names: Sequence[str], owner: tuple[int, int] | None, mode: int | None) -> None:
    for name in names:
        file = f"{path}/{name}".rstrip("/")
        if mode is not None:
            # What nobody can write or read stays so: -f is one mode for all files.
            now = stat.S_IMODE(os.stat(file).st_mode)
            os.chmod(file, mode if not name else mode & ((now >> 6) * 0o111))
        if owner is not None:
            os.chown(file, *owner)


def delete(context: Context, group: Group, *, recursive: bool = False, kill: bool = False) -> None:
    """Remove *group*, with *recursive* what is below it, with *kill* what runs in it.

    Raises:
        NotFoundError: it is not there.
        NsunitError: there are subgroups or processes.
    """
    path = find(group)
    if not group.below and os.geteuid() != 0:
        raise NsunitError(f"only root can remove '{group.path}' itself", hint="you may remove its subgroups")
    counts = [_count(place) for _, place in tree.below(path)]
    if counts and not recursive:
        raise NsunitError(
            f"'{group.path}' has subgroups", hint=f"'nsunit cgroup delete -r -g :{group.path}' removes them as well"
        )
    count = sum(counts, _count(path))
    if count and not kill:
        raise NsunitError(
            f"'{group.path}' has {count} process{'es' if count > 1 else ''}",
            hint="move them with 'nsunit cgroup classify', or end them with 'nsunit cgroup delete --kill'",
        )
    try:
        if count:
            _kill(group, path)
        if not group.below:
            with Lock(context.paths.locks, f"cgroup:{group.name}"):
                _remove_top(context, group)
            return
        tree.remove_below(path)
        os.rmdir(path)
    except OSError as error:
        raise _forbidden(error, f"remove '{group.path}'", group) from None
    _tidy(group.parents[-1])


def _remove_top(context: Context, group: Group) -> None:
    """Stop the unit of *group*; where that has gone without its directory, remove that."""
    if context.bus.get(group.unit, "LoadState").get("LoadState") != "not-found":
        _stop(context, group)
    path = directory_of(group)
    tree.remove_below(path)
    try:
        os.rmdir(path)
    except FileNotFoundError:
        pass  # as it should be: systemd has taken it down


def _kill(group: Group, path: str) -> None:
    with open(f"{path}/cgroup.events", "rb", buffering=0) as events:
        poll = select.poll()
        poll.register(events, select.POLLPRI)
        write_file(f"{path}/cgroup.kill", "1")
        while flat_keyed(os.pread(events.fileno(), 4096, 0).decode()).get("populated"):
            if not poll.poll(_KILL_SECONDS * 1000):
                raise NsunitError(
                    f"'{group.path}' has processes that do not end", hint="see 'systemd-cgls' for what they are"
                )


def _tidy(parent: Group) -> None:
    """Take the controllers for subgroups back from a group that has none any more, so that it can have processes."""
    path = directory_of(parent)
    enabled = _words(path + "/cgroup.subtree_control")
    if (
        enabled
        and not any(entry.is_dir() for entry in os.scandir(path))
        and os.access(path + "/cgroup.subtree_control", os.W_OK)
    ):
        write_file(path + "/cgroup.subtree_control", " ".join(f"-{name}" for name in enabled))


def _stop(context: Context, group: Group) -> None:
    result = context.bus.wait(context.bus.stop(group.unit), JOB_TIMEOUT)
    if result == "frozen":
        context.bus.thaw(group.unit)
        result = context.bus.wait(context.bus.stop(group.unit), JOB_TIMEOUT)
    if result != "done":
        raise NsunitError(f"the stop of {group.unit} ended as '{result}'", hint=f"see 'systemctl status {group.unit}'")


# Processes


def groups(context: Context, below: Group | None = None) -> list[GroupState]:
    """All groups, or *below* and what is below it, in order.

    Raises:
        NotFoundError: there is no such group.
    """
    if below is not None:
        find(below)
        return list(_states(context, below))
    try:
        units = sorted(os.listdir(f"{CGROUP_ROOT}/{ROOT_SLICE}"))
    except FileNotFoundError:
        return []
    tops = [group for unit in units if (group := group_of_unit(unit)) is not None]
    return [state for top in tops for state in _states(context, top)]


def _states(context: Context, group: Group) -> Iterator[GroupState]:
    """What *group* is and what those below it are, in order."""
    given = _given(context, group)
    path = directory_of(group)
    yield _state(group, path, given)
    for names, place in tree.below(path):
        yield _state(Group(group.name, (*group.below, *names)), place, given)


def _state(group: Group, path: str, given: Sequence[str]) -> GroupState:
    try:
        uid = os.stat(path).st_uid
    except FileNotFoundError:
        uid = -1
    return GroupState(group.path, group.unit, group.cgroup, _to_stay(given, path), _count(path), uid)


def _count(path: str) -> int:
    """The processes in the cgroup at *path* itself."""
    return len(_words(path + "/cgroup.procs"))


# Files


def _words(path: str) -> list[str]:
    return (read_kernel_file(path) or "").split()


def write_file(path: str, text: str) -> None:
    """Write a file of the kernel's, in one piece."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _lacks(group: Group, name: str, present: Sequence[str]) -> NsunitError:
    return NsunitError(
        f"the group '{group.path}' has no controller '{name}'",
        hint=f"it has {' '.join(present) or 'none'}; its controllers are chosen when it is made",
    )


def _forbidden(error: OSError, deed: str, group: Group) -> NsunitError:
    if error.errno in (errno.EACCES, errno.EPERM):
        return NsunitError(
            f"you may not {deed}", hint=f"root gives it away with 'nsunit cgroup create -a USER -g …:{group.path}'"
        )
    return NsunitError(f"cannot {deed}: {error.strerror}")
