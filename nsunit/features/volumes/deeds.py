"""The volumes of a container: where they are, and that a failed start leaves none half-made."""

from __future__ import annotations

import os

from nsunit.features.volumes.store import Store
from nsunit.features.volumes.values import of
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.core.prepare import Place
    from nsunit.definition.model import Definition
    from nsunit.plan.facts import Facts


def reserve(context: Context, definition: Definition, place: Place) -> None:
    """Have the directories there in which the helper makes the volumes that are missing."""
    store = Store(context)
    volumes = of(definition.container).volumes
    for name in {volume.name for volume in volumes if not volume.memory}:
        if name:
            files.make_private_directory(store.path)
            place.undo.append(store.discarding(name))
        elif place.keeper == context.paths.state_of(definition.name):
            files.make_private_directory(store.own_path(definition.name))


def facts(context: Context, definition: Definition, facts: Facts) -> Facts:
    """*facts* with the directories of the volumes with a name and of the container's own.

    The latter is empty for a container of which nothing is kept.
    """
    paths, store = context.paths, Store(context)
    kept = os.path.isdir(paths.state_of(definition.name)) or not os.path.isdir(paths.runtime_of(definition.name))
    return facts.with_extra("volumes", (store.path, store.own_path(definition.name) if kept else ""))
