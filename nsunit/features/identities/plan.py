"""Explicit id maps and owners in the set-up of a container.  Pure."""

from __future__ import annotations

from nsunit.errors import LEAVE_TO_ROOT
from nsunit.features.identities.keys import of
from nsunit.features.identities.setup import OwnedDirectory, UserMaps
from nsunit.setup.namespaces import Namespaces
from nsunit.setup.root import Directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container
    from nsunit.setup.operation import Operation


def operations(planned: list[Operation], container: Container, _facts: object) -> list[Operation]:
    """*planned* with the maps after the namespaces, and with a root whose files are the container's on disk."""
    said = of(container)
    found: list[Operation] = []
    for item in planned:
        if said.ownership == "chown" and isinstance(item, Directory):
            item = OwnedDirectory(item.path)
        found.append(item)
        if said.uid_map and isinstance(item, Namespaces):
            pairs = (("uid", said.uid_map), ("gid", said.gid_map))
            lines = [f"{kind} {' '.join(map(str, entry))}" for kind, entries in pairs for entry in entries]
            found.append(UserMaps(tuple(lines)))
    return found


def without_root(container: Container) -> list[tuple[str, str]]:
    """Why a user without privileges cannot have it, as (message, hint)."""
    if of(container).ownership == "idmap":
        return []
    return [("[Container] Ownership=chown takes root, as a user cannot give files away", LEAVE_TO_ROOT)]


def ids(operation: Operation) -> tuple[str, ...]:
    """The maps of user and of group ids that *operation* makes, as /proc/PID/uid_map has them; none for another."""
    if not isinstance(operation, UserMaps):
        return ()
    lines = [entry.partition(" ") for entry in operation.entries]
    return tuple("\n".join(line for kind, _, line in lines if kind == which) for which in ("uid", "gid"))
