"""The volumes of a container: where they are, and that a failed start leaves none half-made."""

from __future__ import annotations

import os

from nsunit.features.volumes import quota
from nsunit.features.volumes.store import Store
from nsunit.features.volumes.values import file_of, of
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.core.prepare import Place
    from nsunit.definition.model import Definition
    from nsunit.plan.facts import Facts


def reserve(context: Context, definition: Definition, place: Place) -> None:
    """Have the directories there in which the helper makes the volumes that are missing, and those with a size.

    Raises:
        NsunitError: a size cannot be limited.
    """
    store = Store(context)
    for volume in of(definition.container).volumes:
        if volume.name:
            path = store.path_of(volume.name)
            files.make_private_directory(store.path)
            place.undo.append(store.discarding(path))
        elif volume.memory or place.keeper != context.paths.state_of(definition.name):
            continue
        else:
            files.make_private_directory(store.own_path(definition.name))
            path = f"{store.own_path(definition.name)}/{file_of(volume.target)}"
        if volume.size_max:
            with store.lock():
                if quota.keep_to(path, volume.size_max):
                    place.undo.append(store.forgetting(path))


def facts(context: Context, definition: Definition, facts: Facts) -> Facts:
    """*facts* with the directories of the volumes with a name and of the container's own.

    The latter is empty for a container of which nothing is kept.
    """
    paths, store = context.paths, Store(context)
    own = store.own_path(definition.name)
    kept = os.path.isdir(own) or not os.path.isdir(paths.runtime_of(definition.name))
    return facts.with_extra("volumes", (store.path, own if kept else ""))
