"""What is there of nsunit's that no container owns: after a crash, or after somebody has taken things apart by hand.

A container owns what has its name while it runs, starts, ends, is listened for or is enabled, and while a command has
its lock.  What is kept of one that does not run, so that it comes back as it was, is no leftover: `rm` forgets it.

What nsunit leaves on a host, and when nobody owns it:

    kind              what                                         no container owns it when
    unit              slices; sockets and timers                   nothing runs in it; its unit file is gone
    cgroup            directories of units                         systemd has no such unit
    mount             below containers, states, a pod's pins       its container does not run, its pod is not there
    place of a mount  mounts/NAME, of `nsunit mount`               nothing is mounted where it says
    pin               namespaces/PIN                               nothing is mounted there
    directory         containers/NAME, network/NAME                its container does not run
                      incoming/…, images/staging/…                 who was bringing something in is gone
                      .create-…, .import-… beside definitions      who was writing it is gone
    draft             .edit-…, beside definitions                  the same; a text in it becomes NAME.rejected
    import            incoming/… with volumes that it was to keep  the same
    file              unstarted-NAME, notify/NAME                  its container, or its socket, is not there
                      failed-NAME                                  the container is not defined any more
                      NAME.PID.new, .NAME.PID                      process PID is gone
                      ids                                          another container has some of these ids as well,
                                                                   or nobody can read it, and it does not run
    ids               states/NAME/ids                              nobody can read it, and it runs or is enabled
    volume            volumes/NAME without one, .trash-…           who was filling or removing it is gone
    lock              locks/NAME                                   no command holds it
    id range          a state that is an id range only             its container is not defined, nor anything else
    enable            states/NAME/boot                             what `enable` or `disable` was doing was not finished
    rename            states/NAME/renaming                         what `rename` was doing was not finished
    unit file         those with nsunit's headline                 the container is not enabled
    group             states/groups/NAME.slice                     no unit file of a container is in it
    link              in NAME.wants and the like, to nsunit-…      there is no such unit file
    network           links, rules of the firewall                 no container that is connected has it
    network record    networks/NAME                                nobody can read it

Units that only serve others (nsunit-limits@, nsunit-sd-notify@, nsunit-names@, checks of health) systemd stops
by itself when nobody needs them.  Kept are addresses, volumes, images, records of networks, what was persistently set,
and until the next boot what groups have run with, whose end is systemd's.
"""

from __future__ import annotations

import os
import time

from nsunit.core.findings import BROUGHT_IN, Leftover, Owners, is_abandoned, is_locked
from nsunit.core.jobs import JOB_TIMEOUT, stop_what_is_left
from nsunit.deeds.host.left_enabled import finish_rename, of_enabled, take_away_unit_file, undo_enable
from nsunit.deeds.host.left_files import (
    of_definitions,
    of_writers,
    same_ids,
    sockets,
    spoiled_ids,
    take_draft_away,
    temporary,
    unmounted,
    write_ids,
)
from nsunit.deeds.mount.mounted import forget
from nsunit.definition.search import find, list_groups
from nsunit.errors import NotFoundError, NsunitError
from nsunit.features import FEATURES, hooks
from nsunit.names import (
    ROOT_SLICE,
    group_of_pod,
    group_slice,
    groups_of_slice,
    is_pod,
    is_slice_of,
    is_valid_name,
    slice_path,
)
from nsunit.setup import CGROUP_ROOT
from nsunit.setup.linux import MNT_DETACH, umount2
from nsunit.storage import files, tree
from nsunit.storage.files import read_kernel_file
from nsunit.storage.lock import Lock
from nsunit.storage.mounted import points

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nsunit.core.context import Context

_AGAIN_SECONDS = 0.3
_LOCK_SECONDS = 5.0
_KILL_SECONDS = 10.0
_UNSTARTED = "unstarted-"
_GROUPS = "cgroup:"  # of the locks of control groups; those of the store and the like are taken again and again
_WITHOUT_LOCK = ("lock", "rename")  # they take it themselves
_OF_THE_LIVING = ("place of a mount", "ids")  # what one that runs may have left as well
_UNITS = (".slice", ".service", ".scope")


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
    return [item for item in leftovers(context) if item.why == BROUGHT_IN]


def take_away(context: Context, found: list[Leftover], done: Callable[[Leftover], object]) -> list[NsunitError]:
    """Take away what was *found*; *done* is told of each.  Returns what could not be done."""
    failures = []
    for item in found:
        try:
            if item.kind in _WITHOUT_LOCK or not item.container:
                _take_away(context, item)
            else:
                with Lock(context.paths.locks, item.container, _LOCK_SECONDS):
                    # Which nobody changes now.
                    if item.kind in _OF_THE_LIVING or item.container not in Owners(context).alive:
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
    groups = list(_groups(f"{CGROUP_ROOT}{context.cgroup}/{ROOT_SLICE}"))
    things = [*_mounts(context), *_directories(context), *_unstarted(context)]  # in the order they can be removed in
    locks = list(_locks(context))
    seen = Owners(context)
    return [
        *_of_units(seen),
        *(Leftover("cgroup", path, "its unit is gone") for path, unit in groups if unit not in seen.units),
        *(item for item in things if seen.is_free(item.container)),
        *locks,
        *temporary(context),
        *of_writers(context),
        *spoiled_ids(seen),
        *_ids(context, seen),
        *same_ids(seen),
        *sockets(seen),
        *of_definitions(context),
        *unmounted(seen),
        *of_enabled(seen),
        *_of_features(seen),
    ]


def _of_features(seen: Owners) -> Iterator[Leftover]:
    for look in hooks(_features(seen.context), "doctor.left"):
        yield from look(seen)


def _features(context: Context) -> tuple[str, ...]:
    return tuple(feature.name for feature in FEATURES if not feature.of_users or feature.name in context.features)


def _of_units(seen: Owners) -> Iterator[Leftover]:
    """Slices in which nothing runs; all else systemd stops by itself."""
    needed = {group_slice(name) for name in list_groups(seen.context.search)}
    pods = {group_slice(group_of_pod(name)) for name in seen.alive if is_pod(name)}
    slices = [unit.name for unit in seen.active if unit.name.endswith(".slice")]
    for slice_ in slices:
        if slice_ in pods or any(is_slice_of(slice_, name) for name in seen.alive):
            needed |= {slice_, *(group_slice(name) for name in groups_of_slice(slice_))}
    for unit in seen.active:
        if is_abandoned(unit):
            yield Leftover("unit", unit.name, "its unit file is gone")
    for slice_ in slices:
        events = read_kernel_file(f"{CGROUP_ROOT}{seen.context.cgroup}{slice_path(slice_)}/cgroup.events") or ""
        if slice_ not in needed and "populated 1" not in events and not seen.units[slice_].job_path.strip("/"):
            yield Leftover("unit", slice_, "nothing runs in it")


def _groups(directory: str) -> Iterator[tuple[str, str]]:
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
                yield from _groups(f"{directory}/{name}")  # no deeper than systemd nests, which are few


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
    for point in reversed(points()):
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
        if (is_valid_name(name) or name.startswith(_GROUPS)) and not is_locked(path) and os.path.lexists(path):
            yield Leftover("lock", path, "no command has it", name)


def _ids(context: Context, seen: Owners) -> Iterator[Leftover]:
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
        stop_what_is_left(context, item.what, JOB_TIMEOUT)
    elif item.kind == "cgroup":
        _remove_group(item.what)
    elif item.kind == "mount":
        umount2(item.what, MNT_DETACH)
    elif item.kind in ("directory", "id range"):
        context.remove_tree(item.what)
    elif item.kind == "enable":
        undo_enable(context, item.container)
    elif item.kind == "rename":
        finish_rename(context, item.container)
    elif item.kind == "ids":
        write_ids(context, item.container)
    elif item.kind in ("unit file", "link"):
        take_away_unit_file(context, item.what, item.container)
    elif item.kind == "place of a mount":
        forget(item.what)
    elif item.kind == "lock":
        with Lock(context.paths.locks, item.container, _LOCK_SECONDS):
            pass  # who leaves takes it along
    elif item.kind == "draft":
        take_draft_away(item.what)
    elif item.kind == "file":
        os.unlink(item.what)
    else:
        for take in hooks(_features(context), "doctor.take_away"):
            take(context, item)


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
