"""Making volumes and taking them away."""

from __future__ import annotations

import contextlib
import os

from nsunit.errors import NsunitError
from nsunit.features.volumes import quota
from nsunit.features.volumes.look import check_name, not_found, users
from nsunit.features.volumes.setup import ABOUT
from nsunit.features.volumes.store import Store
from nsunit.names import printable
from nsunit.storage import files
from nsunit.storage.mounted import mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context
    from nsunit.features.volumes.look import Users


def create(context: Context, name: str, size_max: int | None = None) -> None:
    """Make the volume *name*, which the first start with it fills; with *size_max* it can hold so many bytes.

    Raises:
        NsunitError: it is there already, or its size cannot be limited; nothing was made.
    """
    store = Store(context)
    path = store.path_of(check_name(name))
    files.make_private_directory(store.path)
    with store.lock():
        if store.has(name):
            raise NsunitError(f"the volume '{name}' is there already", hint="see 'nsunit volume list'")
        store.discard(path)  # of a start that was killed
        try:
            if size_max:
                quota.keep_to(path, size_max)
            else:
                files.make_private_directory(path)
                files.write_file(f"{path}/{ABOUT}", b"")
            store.sync()
        except BaseException:
            with contextlib.suppress(OSError):  # the first one is to be told
                store.forgetting(path)()
                store.discard(path)
            raise


def remove(context: Context, names: Sequence[str], *, missing: bool = False) -> None:
    """Take the volumes *names* away, with all that is in them; with *missing*, those that are there.

    Raises:
        NsunitError: a container uses one, or may use it; nothing was taken away.
    """
    store = Store(context)
    for name in names:
        if ":" in name:
            container = name.partition(":")[0]
            hint = f"it goes with its container: nsunit rm {container}"
            raise NsunitError(f"'{printable(name)}' is a volume of '{container}' alone", hint=hint)
        check_name(name)
    with store.lock():
        there = [name for name in dict.fromkeys(names) if store.has(name)]
        if not missing:
            _refuse_missing(names, there)
        names = there
        used = users(context)
        for name in names:
            if used.of(name):
                raise NsunitError(
                    f"the volume '{name}' is used by {', '.join(used.of(name))}",
                    hint=f"leave it out of the definition, or 'nsunit volume rm --force {name}'",
                )
        _refuse_unknown(used)
        _put_aside(store, names)
    store.sweep()


def remove_bound(context: Context, names: Sequence[str]) -> None:
    """Take the volumes *names* away whoever is defined with them.

    Raises:
        NsunitError: a container runs with one, or is enabled with it.
    """
    store = Store(context)
    with store.lock():
        used = users(context)
        for name in names:
            if used.bound.get(name):
                raise NsunitError(f"the volume '{name}' is used by {', '.join(used.bound[name])}")
        _put_aside(store, [name for name in names if store.has(name)])
    store.sweep()


def unused(context: Context) -> tuple[str, ...]:
    """The volumes that no container uses.

    Raises:
        NsunitError: nobody knows what a container uses.
    """
    used = users(context)
    _refuse_unknown(used)
    return tuple(name for name in Store(context).names() if not used.of(name))


def prune(context: Context, names: Sequence[str] = ()) -> tuple[str, ...]:
    """Remove what was left half-made, and those of the volumes *names* that no container uses; returns which.

    Raises:
        NsunitError: nobody knows what a container uses.
    """
    store = Store(context)
    gone: list[str] = []
    with store.lock():
        for name in files.list_directory(store.path):
            if not name.startswith("."):
                store.discard(store.path_of(name))
        if names:
            gone = [name for name in unused(context) if name in names]
            _put_aside(store, gone)
    store.sweep()
    return tuple(gone)


def _refuse_missing(names: Sequence[str], there: Sequence[str]) -> None:
    for name in names:
        if name not in there:
            raise not_found(name)


def _refuse_unknown(used: Users) -> None:
    for name in used.unknown:
        hint = f"see 'nsunit verify {name}'"
        raise NsunitError(f"{name}: its definition cannot be read, so it may use any volume", hint=hint)


def _put_aside(store: Store, names: Sequence[str]) -> None:
    there = mounts()
    for name in names:
        for point in there:
            if f"{point}/".startswith(store.path_of(name) + "/"):
                raise NsunitError(f"something is mounted in the volume '{name}', at '{point}'", hint="unmount it first")
    moved: list[tuple[str, str]] = []
    try:
        for name in names:
            moved.append((store.path_of(name), store.aside()))
            os.rename(*moved[-1])
        if names:
            store.sync()
    except BaseException:
        for path, aside in reversed(moved):
            with contextlib.suppress(OSError):  # the first one is to be told
                files.move_back(aside, path)
        raise
