"""The roots of containers that are mounted on the host, and taking them off it.

    mounts/NAME/places    a line each: the mount's id, `rw` or `ro`, the path
    mounts/NAME/writable  is there while one may be written to: the container is not started then
    mounts/NAME/root      where one is if nobody has said where

A place is written down before anything is mounted there, and counts if what is mounted there has the id: whoever is
killed in between leaves nothing that is not known.
"""

from __future__ import annotations

import errno
import os

from nsunit.errors import NotFoundError, NsunitError
from nsunit.names import printable
from nsunit.record import Record
from nsunit.setup import linux
from nsunit.storage import files
from nsunit.storage.mounted import mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context

PLACES, WRITABLE, ROOT, WORK = "places", "writable", "root", "work"


class Mounted(Record):
    """The root of container `name`, mounted at `path`."""

    name: str
    path: str
    writable: bool


class Place(Record):
    """The same with the id that its mount has, as in /proc/self/mountinfo."""

    mounted: Mounted
    mount: int


def places_of(context: Context, name: str) -> list[Place]:
    """Where the root of *name* was to be mounted; whether it is, `is_there` tells."""
    content = files.read_file(f"{context.paths.mounts_of(name)}/{PLACES}") or b""
    found = []
    for line in os.fsdecode(content).split("\0")[:-1]:
        mount, how, path = line.split(" ", 2)
        found.append(Place(Mounted(name, path, how == "rw"), int(mount)))
    return found


def write_places(context: Context, name: str, places: Sequence[Place]) -> None:
    """Write down that the root of *name* is, or is about to be, mounted at *places*.  Under the container's lock."""
    directory = context.paths.mounts_of(name)
    if not places:
        forget(directory)
        return
    lines = (f"{item.mount} {'rw' if item.mounted.writable else 'ro'} {item.mounted.path}\0" for item in places)
    files.make_private_directory(directory)
    files.write_file(f"{directory}/{PLACES}", os.fsencode("".join(lines)))
    if any(item.mounted.writable for item in places):
        files.write_file(f"{directory}/{WRITABLE}", b"")
    elif os.path.lexists(f"{directory}/{WRITABLE}"):
        os.unlink(f"{directory}/{WRITABLE}")


def forget(directory: str) -> None:
    """Remove what is known of a container's mounts, without ever looking into what may be mounted there.

    Raises:
        NsunitError: something is.
    """
    for name in files.list_directory(directory):
        path = f"{directory}/{name}"
        try:
            os.rmdir(path) if name in (ROOT, WORK) else os.unlink(path)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            raise NsunitError(f"something is mounted at '{path}'", hint=f"'umount {path}' first") from None
    if os.path.isdir(directory):
        os.rmdir(directory)


def is_there(place: Place, there: dict[str, list[int]]) -> bool:
    """Whether it is mounted, among the mounts that are *there*."""
    return place.mount in there.get(place.mounted.path, ())


def mounted(context: Context) -> list[Mounted]:
    """All roots that are mounted."""
    there = mounts()
    names = files.list_directory(context.paths.mounts)
    return [place.mounted for name in names for place in places_of(context, name) if is_there(place, there)]


def unmount(context: Context, name: str, path: str | None = None) -> list[Mounted]:
    """Take the root of *name* off *path*, or off all places; returns those.  Under the container's lock.

    Raises:
        NotFoundError: it is not mounted there.
        NsunitError: something else is mounted on top of it.
    """
    left = places_of(context, name)
    gone: list[Mounted] = []
    for place in reversed(left[:]):
        if path is not None and place.mounted.path != path:
            continue
        if _take_off(place):
            gone.append(place.mounted)
        left.remove(place)
        write_places(context, name, left)
    if not left:
        forget(context.paths.mounts_of(name))  # also where nothing was written down any more
    if path is not None and not gone:
        raise NotFoundError(f"{name}: its root is not mounted at '{printable(path)}'", hint="see 'nsunit mount'")
    return gone


def _take_off(place: Place) -> bool:
    """Unmount *place* with all below it; False if it was not there."""
    path, at = place.mounted.path, mounts().get(place.mounted.path, [])
    if place.mount not in at:
        return False
    if at[-1] != place.mount:
        hint = f"'umount {printable(path)}' first"
        raise NsunitError(f"{place.mounted.name}: something else is mounted over its root at '{path}'", hint=hint)
    linux.umount2(path, linux.MNT_DETACH | linux.UMOUNT_NOFOLLOW)
    return True
