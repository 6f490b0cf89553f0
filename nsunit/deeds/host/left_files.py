"""Files of nsunit's that no container owns: notes, sockets, what a process that is gone was about to write."""

from __future__ import annotations

import os

from nsunit.core.findings import Leftover, is_locked
from nsunit.core.jobs import FAILED
from nsunit.deeds.look.root import maps_of
from nsunit.deeds.mount.mounted import is_there, places_of
from nsunit.definition.search import SUFFIX, main_file
from nsunit.dropins.definitions import CREATED, EDITED, IMPORTED
from nsunit.dropins.files import DROP_IN, read
from nsunit.errors import NsunitError
from nsunit.names import is_valid_name, notify_unit
from nsunit.setup.main import read_plan
from nsunit.setup.operation import PlanError
from nsunit.storage import files, ranges
from nsunit.storage.mounted import mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from nsunit.core.context import Context
    from nsunit.core.findings import Owners

_GONE = "who was writing it is gone"
_STATES = ("boot", "network", "boot/network")


def temporary(context: Context) -> Iterator[Leftover]:
    """Files that a process which is gone was about to write."""
    for directory, beginning, ending in _written(context):
        for name in files.list_directory(directory) if os.path.isdir(directory) else ():
            number = name.removesuffix(ending).rpartition(".")[2]
            is_one = name.startswith(beginning) and name.endswith(ending) and number.isdigit()
            if is_one and not os.path.exists(f"/proc/{number}"):
                yield Leftover("file", f"{directory}/{name}", _GONE)


def _written(context: Context) -> Iterator[tuple[str, str, str]]:
    """The directories with what nsunit writes, and how a file there begins and ends that has not its own name yet."""
    paths, units = context.paths, context.search.units
    owned = [f"{base}/{name}" for base in (paths.runtimes, paths.states) for name in files.list_directory(base)]
    deeper = [f"{directory}/{below}" for directory in owned for below in _STATES]
    alone = (paths.runtime, paths.seccomp, paths.groups, paths.network_records, f"{paths.state}/groups")
    for directory in (*alone, *owned, *deeper):
        yield directory, "", ".new"
    yield units, ".nsunit-", ""
    for name in files.list_directory(units):
        if name.startswith("nsunit-") and name.endswith(".d"):
            yield f"{units}/{name}", f".{DROP_IN}.", ""


def of_writers(context: Context) -> Iterator[Leftover]:
    """What a command that is gone was writing where definitions are."""
    for directory in context.search.directories:
        for name in files.list_directory(directory):
            path = f"{directory}/{name}"
            if name.startswith((EDITED, CREATED, IMPORTED)) and os.path.isdir(path) and not is_locked(path):
                yield Leftover("draft" if name.startswith(EDITED) else "directory", path, _GONE)
            elif name.endswith(f"{SUFFIX}.d"):
                left = filter(_is_left, files.list_directory(path))
                yield from (Leftover("file", f"{path}/{file}", _GONE) for file in left)
            elif _is_left(name):
                yield Leftover("file", path, _GONE)


def _is_left(name: str) -> bool:
    """Whether *name* is that of a file which has not its own name yet, and whose process is gone."""
    own, _, number = name.rpartition(".")
    is_one = name.startswith(".") and own.endswith((SUFFIX, ".conf")) and number.isdigit()
    return is_one and not os.path.exists(f"/proc/{number}")


def take_draft_away(path: str) -> None:
    """Remove the directory *path* of an editor; a text in it that is no definition yet is kept beside that."""
    top = os.path.dirname(path)
    for folder, _, names in os.walk(path):
        for name in names:
            text, target = f"{folder}/{name}", os.path.normpath(f"{top}/{os.path.relpath(folder, path)}/{name}")
            is_draft = name.endswith((SUFFIX, ".conf")) and not name.startswith(".")
            if is_draft and read(text) not in (b"", read(target)):
                os.replace(text, f"{top}/{name}.rejected")
    files.remove_tree(path)


def sockets(owners: Owners) -> Iterator[Leftover]:
    """Sockets in the file system by which containers tell systemd of themselves."""
    directory = f"{owners.context.paths.runtime}/notify"
    listening = {unit.name for unit in owners.active}
    for name in files.list_directory(directory):
        if notify_unit(name) not in listening and owners.is_free(name):
            yield Leftover("file", f"{directory}/{name}", "nobody listens to it", name)


def of_definitions(context: Context) -> Iterator[Leftover]:
    """Notes of how the start of a container has failed that is defined no more."""
    for entry in files.list_directory(context.paths.runtime):
        name = entry.removeprefix(FAILED)
        if entry != name and is_valid_name(name) and not main_file(name, context.search):
            yield Leftover("file", f"{context.paths.runtime}/{entry}", "its container is not defined", name)


def unmounted(owners: Owners) -> Iterator[Leftover]:
    """Notes of where the root of a container is mounted by `nsunit mount`, and is not."""
    context = owners.context
    names = files.list_directory(context.paths.mounts)
    there = mounts() if names else {}
    for name in names:
        if is_locked(f"{context.paths.locks}/{name}"):
            continue
        own = context.paths.mounts_of(name)
        below = any(point.startswith(f"{own}/") for point in there)
        if not below and not any(is_there(place, there) for place in places_of(context, name)):
            yield Leftover("place of a mount", own, "its root is not mounted there", name)


def same_ids(owners: Owners) -> Iterator[Leftover]:
    """Ranges of ids that another container has, too, of those that do not run: these take others at their start."""
    states = owners.context.paths.states
    known = ((ranges.allocated(f"{states}/{name}"), name) for name in files.list_directory(states))
    found = sorted((own, name) for own, name in known if own)
    for (before, first), (own, second) in zip(found, found[1:], strict=False):
        if before[0] + before[1] <= own[0]:
            continue
        for name, other in ((second, first), (first, second)):
            if owners.is_free(name):
                yield Leftover("file", f"{states}/{name}/ids", f"'{other}' has some of these ids, too", name)
                break


def spoiled_ids(owners: Owners) -> Iterator[Leftover]:
    """Notes of ids that nobody can read any more.

    Who does not run takes others: nothing on disk has them.  Of who runs, or will be started with them at boot, the
    plan has what they are.
    """
    states = owners.context.paths.states
    for name in files.list_directory(states):
        path = f"{states}/{name}/ids"
        try:
            ranges.remembered(f"{states}/{name}")
        except NsunitError:
            if owners.is_free(name):
                yield Leftover("file", path, "it does not hold an id range", name)
            elif (planned := _planned_ids(owners.context, name)) is not None:
                # One with the ids of the host or of a pod has no range of its own, and needs no note.
                is_used = "the id range that is in use" if planned else "an id range"
                yield Leftover("ids", path, f"it does not hold {is_used}", name)


def write_ids(context: Context, name: str) -> None:
    """Write anew which ids container *name* has; no note is needed of those that the host has as well."""
    directory = context.paths.state_of(name)
    if entries := _planned_ids(context, name):
        ranges.restore(context.paths, directory, entries)
    else:
        files.discard(f"{directory}/ids")


def _planned_ids(context: Context, name: str) -> list[tuple[int, int]] | None:
    """The ranges of its own, each once, that *name* runs with, or will at boot; None where nobody can tell."""
    for directory in (context.paths.runtime_of(name), context.paths.boot_of(name)):
        try:
            users, groups = maps_of(read_plan(directory))
        except (FileNotFoundError, PlanError):
            continue
        return list(dict.fromkeys((item.outside, item.count) for item in (*users, *groups) if item.outside))
    return None
