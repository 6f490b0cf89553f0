"""The volumes that an import with --force keeps: for a moment they are with what comes in, and are not lost with that.

Who replaces a state notes first which of its volumes it moves, so that whoever finds the directory of one that was
killed brings them back before it removes that.  A state that is new is noted as well: it goes again where who was
killed has not come to its definition, since nothing else would tell that it is there.
"""

from __future__ import annotations

import os

from nsunit.core.running import is_running
from nsunit.definition.search import main_file
from nsunit.errors import NsunitError
from nsunit.features.transfer.bundle import VOLUMES
from nsunit.storage import files
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context

STATE = "state"  # in the directory of an import: what is to become the state, or was it
_RECORD, _NEW = "replaces", "brings"


def note(place: str, name: str, volumes: Sequence[str]) -> None:
    """Note in the directory *place* that the state of container *name* is replaced, and *volumes* of it moved."""
    files.write_file(f"{place}/{_RECORD}", "\0".join((name, *volumes)).encode("utf-8", "surrogateescape"))
    files.sync_directory(place)


def note_new(place: str, name: str) -> None:
    """Note in the directory *place* that the state in it is about to become container *name*'s, which has none."""
    files.write_file(f"{place}/{_NEW}", f"{os.lstat(f'{place}/{STATE}').st_ino} {name}".encode())
    files.sync_directory(place)


def forget_new(place: str) -> None:
    """The container is whole."""
    files.discard(f"{place}/{_NEW}")


def is_noted(place: str) -> bool:
    """Whether the directory *place* is that of who was to make, or to replace, a state."""
    return any(os.path.lexists(f"{place}/{name}") for name in (_RECORD, _NEW))


def _take_away_new(context: Context, place: str) -> None:
    """Remove the state that came from *place* if it has come to no definition.

    Raises:
        NsunitError: a command is at work on the container.
    """
    number, _, name = (files.read_file(f"{place}/{_NEW}") or b"").decode().partition(" ")
    if not name:
        return
    state = context.paths.state_of(name)
    with Lock(context.paths.locks, name, 0):
        is_it = os.path.isdir(state) and os.lstat(state).st_ino == int(number)
        is_kept = os.path.lexists(context.paths.kept_definition_of(name)) or context.paths.is_enabled(name)
        if is_it and not is_kept and not main_file(name, context.search) and not is_running(context, name):
            context.remove_tree(state)


def bring_back(context: Context, place: str) -> None:
    """Move what was noted in *place*, which nobody is at work in, to where it was, if it is not there.

    A state that was new and has no definition goes.

    Raises:
        NsunitError: there is another volume by now, or a command is at work on the container; it is still in *place*.
    """
    _take_away_new(context, place)
    content = files.read_file(f"{place}/{_RECORD}")
    if content is None:
        return
    name, *volumes = content.decode("utf-8", "surrogateescape").split("\0")
    own, state = f"{place}/{STATE}", context.paths.state_of(name)
    with Lock(context.paths.locks, name, 0):
        former = f"{own}.former"  # of `swap`, where the file system cannot exchange names
        if os.path.isdir(former) and not os.path.lexists(state):
            files.move(former, state)
        if not os.path.isdir(state):
            return  # it was removed since
        for volume in volumes:
            source, target = (f"{top}/{VOLUMES}/{volume}" for top in (own, state))
            if not os.path.lexists(source):
                continue
            if os.path.lexists(target):
                hint = f"move what is needed of it, and remove '{place}'"
                raise NsunitError(f"{name}: a volume of it is in '{source}', and another one in its place", hint=hint)
            files.make_private_directory(os.path.dirname(target))
            files.move(source, target)


def remove(context: Context, place: str) -> bool:
    """Remove the directory *place* of an import that has ended; False where it is not there, or has to stay."""
    try:
        bring_back(context, place)
    except (NsunitError, OSError) as error:  # what is under way does not need it; `doctor --repair` says the same
        context.warn(f"warning: '{place}' stays: {error}")
        return False
    return context.remove_tree(place)
