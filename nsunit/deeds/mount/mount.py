"""`mount`: a container's root on the host, with the owners that its programs see.

On disk the files of layers and of what a container has written belong to the ids inside, and only the mounts of a
container that runs shift them.  So the root is merged once more, of the same directories without a shift.  The kernel
takes the layer that a running container writes to as one to read from; names that it makes later may be missing then.
"""

from __future__ import annotations

import errno
import os

from nsunit.core.prepare import facts_for, planned_user_range, resolved
from nsunit.core.running import is_running
from nsunit.core.stored import defined
from nsunit.deeds.mount.mounted import (
    ROOT,
    WORK,
    Mounted,
    Place,
    forget,
    is_there,
    places_of,
    unmount,
    write_places,
)
from nsunit.errors import NsunitError, UsageError
from nsunit.names import check_name, printable
from nsunit.plan.operations import operations
from nsunit.setup import files as paths
from nsunit.setup import linux, root
from nsunit.setup.build import Build
from nsunit.setup.main import read_plan
from nsunit.setup.mounts import Bind
from nsunit.setup.namespaces import UserNamespace, make_user_namespace
from nsunit.storage import files
from nsunit.storage.lock import Lock
from nsunit.storage.mounted import mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context
    from nsunit.setup.operation import Operation

_SAFE = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV
# What a program inside has changed since: what was at a place is not there any more, or something else is.
_CHANGED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def mount(context: Context, name: str, directory: str | None = None, *, writable: bool = False) -> Mounted:
    """Mount the root of *name* at *directory*, or where nsunit has a place for it; of one that runs with its mounts.

    Raises:
        UsageError: the container is a user's.
        NsunitError: it cannot be, as it is now; nothing is mounted.
    """
    if context.user:
        hint = "have 'nsunit --user cp' fetch files, or 'nsunit --user exec' look for you"
        raise UsageError("only root can mount anything on the host", hint=hint)
    with Lock(context.paths.locks, check_name(name)):
        own = context.paths.mounts_of(name)
        files.make_private_directory(own)
        try:
            wanted = Mounted(name, _place(own, directory), writable)
            there = mounts()
            known = [place for place in places_of(context, name) if is_there(place, there)]
            for place in known:
                if place.mounted.path == wanted.path:
                    return _same(place.mounted, wanted)
            _mount(context, wanted, known)
        except BaseException:
            if not places_of(context, name):
                forget(own)
            raise
    return wanted


def unmount_from(context: Context, name: str, directory: str | None = None) -> list[Mounted]:
    """See `unmount`; with the container's lock."""
    with Lock(context.paths.locks, check_name(name)):
        return unmount(context, name, None if directory is None else os.path.realpath(directory))


def _place(own: str, directory: str | None) -> str:
    if directory is None:
        for name in (ROOT, WORK):
            files.make_private_directory(f"{own}/{name}")
        return f"{own}/{ROOT}"
    files.make_private_directory(f"{own}/{WORK}")
    path = os.path.realpath(directory)
    if not os.path.isdir(path):
        raise NsunitError(f"'{printable(directory)}' is not a directory", hint="make it first")
    return path


def _same(there: Mounted, wanted: Mounted) -> Mounted:
    if there.writable != wanted.writable:
        how = "to be written to" if there.writable else "read-only"
        hint = f"'nsunit umount {there.name}' first"
        raise NsunitError(f"{there.name}: it is mounted at '{printable(there.path)}' already, {how}", hint=hint)
    return there


def _mount(context: Context, wanted: Mounted, known: Sequence[Place]) -> None:
    name, runs = wanted.name, is_running(context, wanted.name)
    planned = _operations(context, name, runs=runs)
    found, upper = _root(name, planned, runs=runs, writable=wanted.writable)
    work = f"{context.paths.mounts_of(name)}/{WORK}"
    host = place = -1
    build = Build(work)
    try:
        host = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        place = os.open(wanted.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            root.make_workspace(build)
            if isinstance(found, root.Overlay):
                root.merge(build, found.lowers, upper, volatile=False)
            else:
                found.prepare(build)
        finally:
            linux.setns(host, linux.CLONE_NEWNS)
        linux.mount_setattr(build.root_fd, _SAFE | (0 if wanted.writable else linux.MOUNT_ATTR_RDONLY))
        write_places(context, name, (*known, Place(wanted, _mount_id(build.root_fd))))
        try:
            linux.move_mount(build.root_fd, place)
            if runs:
                _mount_below(build.root_fd, planned)
        except BaseException:
            unmount(context, name, wanted.path)
            raise
    except OSError as error:
        raise NsunitError(f"{name}: its root cannot be mounted: {error.strerror}") from error
    finally:
        build.close()
        for fd in (place, host):
            if fd >= 0:
                os.close(fd)


def _operations(context: Context, name: str, *, runs: bool) -> list[Operation]:
    if runs:
        try:
            return read_plan(context.paths.runtime_of(name))
        except FileNotFoundError:
            raise NsunitError(f"{name}: it is just starting or ending", hint="try again") from None
    definition = resolved(context, defined(context, name))
    return operations(definition, facts_for(context, definition, planned_user_range(context, definition)))


def _root(
    name: str, planned: Sequence[Operation], *, runs: bool, writable: bool
) -> tuple[root.Directory | root.Overlay, str]:
    """What the root is made of to be looked at, and the directory with its uppermost layer if that is written to."""
    for found in planned:
        if isinstance(found, root.Directory | root.Overlay):
            break
    else:
        raise NsunitError(f"{name}: it has no root of its own", hint="mount that of the container that has it")
    if writable and runs:
        hint = f"use 'nsunit exec', or 'nsunit stop {name}' first"
        raise NsunitError(f"{name}: it runs, and two cannot write to one root", hint=hint)
    if isinstance(found, root.Directory):
        return found, ""
    in_memory = not found.upper
    closed = any(isinstance(item, root.ReadOnlyRoot) for item in planned)
    if in_memory and runs and not closed:
        hint = f"use 'nsunit exec {name}'"
        raise NsunitError(f"{name}: what it writes is in memory, where only the container can read it", hint=hint)
    has_written = not in_memory and os.path.isdir(f"{found.upper}/upper")
    if not writable:
        written = (f"{found.upper}/upper",) if has_written else ()
        return root.Overlay("", (*written, *found.lowers)), ""
    if in_memory:
        hint = "leave out --write"
        raise NsunitError(f"{name}: nothing that is written to its root is kept", hint=hint)
    if not has_written:
        hint = f"'nsunit start {name}' makes what can be written to"
        raise NsunitError(f"{name}: it was not started yet", hint=hint)
    return found, found.upper


def _mount_id(fd: int) -> int:
    text = files.read_kernel_file(f"/proc/self/fdinfo/{fd}") or ""
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("mnt_id:"))


def _mount_below(root_fd: int, planned: Sequence[Operation]) -> None:
    """Bind what the container has bound, in the same order, read-only."""
    shift = next((item for item in planned if isinstance(item, UserNamespace)), None)
    for item in planned:
        if not isinstance(item, Bind) or not item.source:
            continue
        try:
            fd = paths.open_source(item.path)
        except OSError as error:
            if error.errno not in _CHANGED:
                raise
            continue
        recursive = "norbind" not in item.flags
        clone = linux.clone_tree(fd, recursive=recursive)
        os.close(fd)
        attributes = _SAFE | linux.MOUNT_ATTR_RDONLY
        linux.mount_setattr(clone, attributes, propagation=linux.MS_PRIVATE, recursive=recursive)
        if shift and not item.has_ids_inside:
            _show_ids_inside(clone, shift, recursive=recursive)
        _attach(root_fd, clone, item.target)
        os.close(clone)


def _show_ids_inside(clone: int, shift: UserNamespace, *, recursive: bool) -> None:
    """Let files that belong to the container's ids outside belong to those inside, as far as the file system can."""
    entry = f"{shift.start} 0 {shift.count}\n"
    namespace = make_user_namespace(entry, entry)
    try:
        linux.mount_setattr(clone, linux.MOUNT_ATTR_IDMAP, userns_fd=namespace, recursive=recursive)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise  # else they are shown as on the host
    finally:
        os.close(namespace)


def _attach(root_fd: int, clone: int, target: str) -> None:
    try:
        place = paths.open_in_root(root_fd, target, os.O_PATH)
    except OSError as error:
        if error.errno not in _CHANGED:
            raise
        return
    try:
        linux.move_mount(clone, place)
    except OSError as error:
        if error.errno not in _CHANGED:
            raise
    finally:
        os.close(place)
