"""Ids that a container has for itself, and files that become its own."""

from __future__ import annotations

from nsunit.features.identities.keys import of
from nsunit.features.identities.owners import change_owners
from nsunit.storage import ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.core.prepare import Place
    from nsunit.definition.model import Definition


def reserve(context: Context, definition: Definition, place: Place) -> None:
    """Remember the ids of explicit maps, so that nobody else is given them, and give the files of the root away."""
    said = of(definition.container)
    if definition.container.private_users.mode == "maps":
        maps = (*said.uid_map, *said.gid_map)
        ranges.remember(context.paths, place.keeper, *((outside, count) for _, outside, count in maps))
    if said.ownership == "chown":
        change_owners(definition.container.rootfs or "", *place.user_range)
