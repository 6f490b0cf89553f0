"""A first limit of its service or of nsunit.slice, shown to a container while it runs.

It has seen those of its own slice only until then.
"""

from __future__ import annotations

import os

from nsunit.core.jobs import JOB_TIMEOUT
from nsunit.core.running import find_running, open_pidfd
from nsunit.errors import NsunitError
from nsunit.names import limits_keeper, limits_watcher
from nsunit.setup import linux, mounts, namespaces
from nsunit.setup.main import read_plan
from nsunit.storage.files import read_kernel_file
from nsunit.units import Property, Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nsunit.core.context import Context
    from nsunit.core.running import Running

_PLACE = "/sys/fs/cgroup"  # in the container


def show_first_limits(context: Context, name: str) -> None:
    """Put files over the slice's in the running container *name*, which say what is tightest, whoever changes it.

    Not for a user's container, whose mounts belong to a user namespace of another kind; the next start does it there.

    Raises:
        NsunitError: they cannot be mounted.
    """
    planned = read_plan(context.paths.runtime_of(name))
    if context.user or not any(type(item) is mounts.SliceCgroup and not item.follow for item in planned):
        return
    running = find_running(context, name)
    unit, slice_ = namespaces.unit_and_slice(running.control_group)
    limits = namespaces.limits_to_show(unit, slice_, everything=True)
    if not _missing(running, limits):
        return
    pidfd = open_pidfd(context, running)
    opened = [pidfd]
    try:
        runtime = os.open(context.paths.runtime_of(name), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        directory = namespaces.write_shown(runtime, unit, limits)
        opened.append(directory)
        clones = {}
        for limit in _missing(running, limits):  # others do the same, one after the other from here on
            clones[limit] = mounts.clone_shown(directory, limit)
            opened.append(clones[limit])

        def cover() -> None:
            linux.setns(pidfd, linux.CLONE_NEWNS)
            for limit, clone in clones.items():
                try:
                    place = linux.openat2(linux.AT_FDCWD, f"{_PLACE}/{limit}", os.O_PATH, linux.RESOLVE_NO_SYMLINKS)
                except FileNotFoundError:
                    continue  # without the controller there is nothing that a program would look at
                linux.move_mount(clone, place)

        with namespaces.Child(cover) as child:
            is_done = child.is_ready
    finally:
        for fd in opened:
            os.close(fd)
    if not is_done:
        raise NsunitError(f"{name}: what it sees of its limits cannot be changed", hint="a restart shows them")
    _watch(context, name, unit, slice_)


def _missing(running: Running, limits: Iterable[str]) -> list[str]:
    there = read_kernel_file(f"/proc/{running.pid}/mountinfo") or ""
    return [limit for limit in limits if f" {_PLACE}/{limit} " not in there]


def _watch(context: Context, name: str, *groups: str) -> None:
    """Have changes in *groups* shown, whoever makes them, as long as *name* runs.

    The container's own unit was made without the watchers, so another one wants them, which has no process.
    """
    keeper, service = limits_keeper(name), groups[0].rpartition("/")[2]
    if context.bus.get(keeper, "ActiveState").get("ActiveState") == "active":
        return
    properties = (
        Property("Description", "s", f"What watches limits of {service}"),
        Property("Type", "s", "oneshot"),
        Property("RemainAfterExit", "b", True),
        Property("ExecStart", "a(sasb)", (("/bin/true", ("/bin/true",), False),)),
        Property("Wants", "as", tuple(unit for unit in map(limits_watcher, groups) if unit)),
        *(Property(key, "as", (service,)) for key in ("BindsTo", "After")),
        Property("CollectMode", "s", "inactive-or-failed"),
    )
    context.bus.wait(context.bus.start_transient(Unit(keeper, properties)), JOB_TIMEOUT)
