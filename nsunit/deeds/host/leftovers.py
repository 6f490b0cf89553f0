"""What is there of nsunit's that no container owns: after a crash, or after somebody has taken things apart by hand.

A container owns what has its name while it runs, starts, ends, is listened for or is enabled, and while a command has
its lock.  What is kept of one that does not run, so that it comes back as it was, is no leftover: `rm` forgets it.
"""

from __future__ import annotations

import fcntl
import os
import time

from nsunit.core.jobs import JOB_TIMEOUT
from nsunit.definition.search import find, list_groups
from nsunit.errors import NotFoundError, NsunitError
from nsunit.features import FEATURES, hooks
from nsunit.names import (
    ROOT_SLICE,
    container_of_listener,
    container_of_unit,
    group_of_pod,
    group_slice,
    groups_of_slice,
    is_pod,
    is_slice_of,
    is_valid_name,
    pod_of_unit,
    service_name,
    slice_path,
    unescape,
)
from nsunit.record import Record
from nsunit.setup import CGROUP_ROOT
from nsunit.setup.linux import MNT_DETACH, umount2
from nsunit.storage import files, tree
from nsunit.storage.files import read_kernel_file
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nsunit.bus.protocol import UnitStatus
    from nsunit.core.context import Context

_AGAIN_SECONDS = 0.3
_CALM = ("inactive", "failed")
_LOCK_SECONDS = 5.0
_KILL_SECONDS = 10.0
_UNFINISHED = "who was at work in it is gone"
_UNSTARTED = "unstarted-"
_UNITS = (".slice", ".service", ".scope")


class Leftover(Record):
    """A thing of *kind*: unit, cgroup, mount, directory, file, lock, id range or network; and *why* it is one.

    *container* is the one whose name it has, empty for none.
    """

    kind: str
    what: str
    why: str
    container: str = ""


class _Seen:
    """What systemd has loaded of nsunit's, and who is alive by that."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.units = {unit.name: unit for unit in context.bus.list_units(["nsunit-*"])}
        self.active = [unit for unit in self.units.values() if _is_busy(unit)]
        found = {_owner(unit.name) for unit in self.active}
        self.alive = {name for name in found if name}

    def is_free(self, name: str) -> bool:
        """Whether *name* is nobody's now."""
        return name not in self.alive and not self.context.paths.is_enabled(name) and not self._may_come_back(name)

    def _may_come_back(self, name: str) -> bool:
        """Whether systemd could start it from what it has; or a command is at work on it."""
        there = self.units.get(service_name(name))
        return (there is not None and there.load_state == "loaded") or _is_locked(f"{self.context.paths.locks}/{name}")


def leftovers(context: Context) -> list[Leftover]:
    """All of them; what is only under way when it is looked at is none."""
    found = _look(context)
    if not found:
        return found
    time.sleep(_AGAIN_SECONDS)
    again = _look(context)
    return [item for item in found if item in again]


def unfinished(context: Context) -> list[Leftover]:
    """Those of imports that were killed; see `leftovers`."""
    return [item for item in leftovers(context) if item.why == _UNFINISHED]


def take_away(context: Context, found: list[Leftover], done: Callable[[Leftover], object]) -> list[NsunitError]:
    """Take away what was *found*; *done* is told of each.  Returns what could not be done."""
    failures = []
    for item in found:
        try:
            if item.kind == "lock" or not item.container:
                _take_away(context, item)
            else:
                with Lock(context.paths.locks, item.container, _LOCK_SECONDS):
                    if item.container not in _Seen(context).alive:  # which nobody changes now
                        _take_away(context, item)
        except OSError as error:
            failures.append(NsunitError(f"{item.kind} '{item.what}': {error.strerror}", hint=item.why))
        except NsunitError as error:
            failures.append(error)
        else:
            done(item)
    return failures


def _look(context: Context) -> list[Leftover]:
    # What there is first, and then who owns it: what begins in between has an owner.
    groups = list(_groups(f"{CGROUP_ROOT}{context.cgroup}/{ROOT_SLICE}", ""))
    things = [*_mounts(context), *_directories(context), *_unstarted(context)]  # in the order they can be removed in
    locks = list(_locks(context))
    seen = _Seen(context)
    return [
        *_of_units(seen),
        *(Leftover("cgroup", path, "its unit is gone") for path, unit in groups if unit not in seen.units),
        *(item for item in things if seen.is_free(item.container)),
        *locks,
        *_temporary(context),
        *_staged(context),
        *_ids(context, seen),
        *_of_features(context),
    ]


def _of_features(context: Context) -> Iterator[Leftover]:
    for look in hooks(_features(context), "doctor.left"):
        yield from (Leftover("network", text, "no container has it") for text in look(context))


def _features(context: Context) -> tuple[str, ...]:
    return context.features or tuple(feature.name for feature in FEATURES if not feature.of_users)


def _is_busy(unit: UnitStatus) -> bool:
    return unit.active_state not in _CALM or unit.job_path not in ("", "/")


def _owner(unit: str) -> str | None:
    """The container or pod that lives by *unit*."""
    if unit.endswith(".service") and (pod := pod_of_unit(unit)):
        return pod
    if unit.endswith((".service", ".scope")) and (name := container_of_unit(unit)):
        return name
    if unit.endswith(".scope"):  # a session may outlive its container
        name = unescape(unit[len("nsunit-") :].partition("-")[0])
        return name if is_valid_name(name) else None
    return container_of_listener(unit)


def _of_units(seen: _Seen) -> Iterator[Leftover]:
    """Slices in which nothing runs; all else systemd stops by itself."""
    needed = {group_slice(name) for name in list_groups(seen.context.search)}
    pods = {group_slice(group_of_pod(name)) for name in seen.alive if is_pod(name)}
    slices = [unit.name for unit in seen.active if unit.name.endswith(".slice")]
    for slice_ in slices:
        if slice_ in pods or any(is_slice_of(slice_, name) for name in seen.alive):
            needed |= {slice_, *(group_slice(name) for name in groups_of_slice(slice_))}
    for slice_ in slices:
        events = read_kernel_file(f"{CGROUP_ROOT}{seen.context.cgroup}{slice_path(slice_)}/cgroup.events") or ""
        if slice_ not in needed and "populated 1" not in events and not seen.units[slice_].job_path.strip("/"):
            yield Leftover("unit", slice_, "nothing runs in it")


def _groups(directory: str, above: str) -> Iterator[tuple[str, str]]:
    """The cgroups of units in *directory*, down all slices: path and unit."""
    try:
        names = os.listdir(directory)
    except OSError as error:
        if error.errno not in files.GONE:
            raise
        return
    for name in sorted(names):
        if name.startswith("nsunit-") and name.endswith(_UNITS):
            yield f"{directory}/{name}", name
            if name.endswith(".slice"):
                yield from _groups(f"{directory}/{name}", name)  # no deeper than systemd nests, which are few


def _directories(context: Context) -> Iterator[Leftover]:
    for base, kind in ((context.paths.runtimes, "directory"), (context.paths.networks, "directory")):
        for name in files.list_directory(base):
            if is_valid_name(name):
                yield Leftover(kind, f"{base}/{name}", "its container does not run", name)


def _unstarted(context: Context) -> Iterator[Leftover]:
    for entry in files.list_directory(context.paths.runtime):
        name = entry.removeprefix(_UNSTARTED)
        if entry != name and is_valid_name(name):
            yield Leftover("file", f"{context.paths.runtime}/{entry}", "its container does not run", name)


def _mounts(context: Context) -> Iterator[Leftover]:
    paths = context.paths
    bases = (paths.runtimes, paths.states)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        points = [line.split(" ", 5)[4] for line in file]
    for point in reversed(points):
        for base in bases:
            name = point.removeprefix(base + "/").partition("/")[0]
            if point.startswith(base + "/") and is_valid_name(name):
                yield Leftover("mount", point, "its container does not run", name)
        name = point.removeprefix(paths.namespaces + "/").partition("/")[0]
        if point.startswith(paths.namespaces + "/") and is_pod(name):
            yield Leftover("mount", point, "its pod is not there", name)


def _locks(context: Context) -> Iterator[Leftover]:
    for name in files.list_directory(context.paths.locks):
        path = f"{context.paths.locks}/{name}"
        if is_valid_name(name) and not _is_locked(path) and os.path.lexists(path):
            yield Leftover("lock", path, "no command has it", name)


def _is_locked(path: str, flags: int = os.O_RDWR) -> bool:
    try:
        fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _temporary(context: Context) -> Iterator[Leftover]:
    """Files that a process which is gone was about to write."""
    paths = context.paths
    owned = [f"{base}/{name}" for base in (paths.runtimes, paths.states) for name in files.list_directory(base)]
    owned += [f"{paths.images}/{name}" for name in ("images", "names", "config", "about")]
    for directory in (paths.runtime, *owned):
        for name in files.list_directory(directory) if os.path.isdir(directory) else ():
            _, _, number = name.removesuffix(".new").rpartition(".")
            if name.endswith(".new") and number.isdigit() and not os.path.exists(f"/proc/{number}"):
                yield Leftover("file", f"{directory}/{name}", "who was writing it is gone")


def _staged(context: Context) -> Iterator[Leftover]:
    """What images and containers were brought in by, whose command is gone and its unit, which hold a lock on it."""
    for base in (f"{context.paths.images}/staging", f"{context.paths.state}/incoming"):
        for name in files.list_directory(base):
            if not _is_locked(f"{base}/{name}", os.O_RDONLY | os.O_DIRECTORY) and os.path.lexists(f"{base}/{name}"):
                yield Leftover("directory", f"{base}/{name}", _UNFINISHED)


def _ids(context: Context, seen: _Seen) -> Iterator[Leftover]:
    """Ranges of those who have nothing else: no definition, nothing that is kept."""
    for name in files.list_directory(context.paths.states):
        directory = context.paths.state_of(name)
        if is_valid_name(name) and files.list_directory(directory) == ["ids"] and seen.is_free(name):
            try:
                find(name, context.search)
            except NotFoundError:
                yield Leftover("id range", directory, "its container is not defined", name)


def _take_away(context: Context, item: Leftover) -> None:
    if item.kind == "unit":
        context.bus.wait(context.bus.stop(item.what), JOB_TIMEOUT)
    elif item.kind == "cgroup":
        _remove_group(item.what)
    elif item.kind == "mount":
        umount2(item.what, MNT_DETACH)
    elif item.kind in ("directory", "id range"):
        context.remove_tree(item.what)
    elif item.kind == "lock":
        with Lock(context.paths.locks, item.container, _LOCK_SECONDS):
            pass  # who leaves takes it along
    elif item.kind == "file":
        os.unlink(item.what)
    else:
        for take in hooks(_features(context), "doctor.take_away"):
            take(context)


def _remove_group(path: str) -> None:
    """Kill what runs in the cgroup *path*, which no unit has, and remove it."""
    try:
        fd = os.open(f"{path}/cgroup.kill", os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # it went with the one around it
    try:
        os.write(fd, b"1")
    finally:
        os.close(fd)
    deadline = time.monotonic() + _KILL_SECONDS
    while "populated 1" in (read_kernel_file(f"{path}/cgroup.events") or "") and time.monotonic() < deadline:
        time.sleep(0.05)
    tree.remove_below(path)
    os.rmdir(path)
