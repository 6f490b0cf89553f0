"""What volumes there are, and who uses them."""

from __future__ import annotations

import os

from nsunit.core.running import is_running
from nsunit.definition.load import load
from nsunit.definition.search import list_names
from nsunit.errors import DefinitionError, NotFoundError, NsunitError, UsageError
from nsunit.features import kinds_of
from nsunit.features.volumes.setup import DATA, Volumes
from nsunit.features.volumes.store import Store
from nsunit.features.volumes.values import is_name, of, target_of
from nsunit.names import is_valid_name, printable
from nsunit.record import Record
from nsunit.setup.main import read_plan
from nsunit.storage import files
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nsunit.core.context import Context


class Shown(Record):
    """A volume: one of a container's own is called NAME:PATH.

    `path` is the directory on the host, which is there once the volume is `filled`.  `size_max` is in bytes.
    """

    name: str
    path: str
    anonymous: bool
    filled: bool
    size_max: int | None
    containers: tuple[str, ...]
    running: tuple[str, ...]


class Users(Record):
    """Who uses the volumes, by their names: containers that run, or are enabled, and those that are defined.

    The definitions of *unknown* cannot be read, so nobody knows what they use.
    """

    bound: dict[str, list[str]]
    defined: dict[str, list[str]]
    unknown: tuple[str, ...]

    def of(self, name: str) -> tuple[str, ...]:
        """All that use volume *name*."""
        return tuple(sorted({*self.bound.get(name, ()), *self.defined.get(name, ())}))


def users(context: Context) -> Users:
    """Who uses which volume."""
    paths = context.paths
    bound: dict[str, list[str]] = {}
    defined: dict[str, list[str]] = {}
    unknown = []
    prefix = Store(context).path + "/"
    for name in _known(context):
        directories = [paths.boot_of(name)]
        if os.path.lexists(paths.runtime_of(name)) and not _has_ended(context, name):
            directories.append(paths.runtime_of(name))
        for directory in directories:
            for volume in _in_plan(directory, prefix):
                if name not in bound.setdefault(volume, []):
                    bound[volume].append(name)
        try:
            volumes = of(load(name, context.search, context.host).container).volumes
        except NotFoundError:
            continue  # its file is gone
        except DefinitionError:
            unknown.append(name)
            continue
        for volume in {item.name for item in volumes} - {""}:
            defined.setdefault(volume, []).append(name)
    return Users(bound, defined, tuple(unknown))


def _known(context: Context) -> list[str]:
    paths = context.paths
    kept = {*files.list_directory(paths.states), *files.list_directory(paths.runtimes)}
    kept = {name for name in kept if is_valid_name(name)}
    return sorted(name for name in kept | {*list_names(context.search)} if not kinds_of(name))  # a pod has none


def _has_ended(context: Context, name: str) -> bool:
    """Whether nothing runs from what is there of a run of *name*: it was killed."""
    try:
        with Lock(context.paths.locks, name, timeout=0):
            return not is_running(context, name)
    except NsunitError:
        return False  # its lock is held: it is being started


def _in_plan(directory: str, prefix: str) -> Iterable[str]:
    try:
        operations = read_plan(directory)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    taken = (path for item in operations if isinstance(item, Volumes) for path in item.paths)
    return [path.removeprefix(prefix) for path in taken if path.startswith(prefix)]


def volumes(context: Context, names: Sequence[str] = ()) -> list[Shown]:
    """The volumes *names*, or all: those with a name, then those of containers.

    Raises:
        NotFoundError: one is not there.
    """
    store, used = Store(context), users(context)
    found = {name: _named(store, used, name) for name in store.names()}
    for container in files.list_directory(context.paths.states):
        for file in files.list_directory(store.own_path(container)):
            shown = _own(store, container, file)
            found[shown.name] = shown
    if missing := [name for name in names if name not in found]:
        raise not_found(missing[0])
    return [found[name] for name in names] if names else list(found.values())


def not_found(name: str) -> NotFoundError:
    """What is said where there is no volume *name*."""
    return NotFoundError(f"there is no volume '{printable(name)}'", hint="see 'nsunit volume list'")


def check_name(name: str) -> str:
    """*name*, which can be that of a volume.

    Raises:
        UsageError: it can not.
    """
    if not is_name(name):
        hint = "use letters, digits, '_', '.' and '-', starting with a letter or digit"
        raise UsageError(f"'{printable(name)}' is not the name of a volume", hint=hint)
    return name


def _named(store: Store, used: Users, name: str) -> Shown:
    place = store.path_of(name)
    path = f"{place}/{DATA}"
    bound = tuple(sorted(used.bound.get(name, ())))
    return Shown(name, path, False, os.path.isdir(path), store.size_max(place), used.of(name), bound)


def _own(store: Store, container: str, file: str) -> Shown:
    place = f"{store.own_path(container)}/{file}"
    path, name = f"{place}/{DATA}", f"{container}:{target_of(file)}"
    runs = (container,) if is_running(store.context, container) else ()
    return Shown(name, path, True, os.path.isdir(path), store.size_max(place), (container,), runs)


def directory_of(context: Context, name: str) -> str:
    """The directory with what is in volume *name*, that of a container's own by NAME:PATH.

    Raises:
        NotFoundError: there is none.
        NsunitError: nothing is in it yet.
    """
    shown = volumes(context, [name])[0]
    if not shown.filled:
        raise NsunitError(f"nothing is in the volume '{printable(name)}' yet", hint="the first start with it fills it")
    return shown.path
