"""Binds whose files become the container's.  Pure."""

from __future__ import annotations

from nsunit.features.binds.setup import OneIdBind, OwnedBind
from nsunit.setup.mounts import Bind
from nsunit.setup.process import User

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from nsunit.definition.model import Container
    from nsunit.setup.operation import Operation


def operations(planned: list[Operation], container: Container, _facts: object) -> list[Operation]:
    """*planned* with such binds in place of ordinary ones."""
    user, group = next((item.user, item.group) for item in planned if isinstance(item, User))
    said = {bind.target: bind for bind in container.binds}
    found: list[Operation] = []
    for item in planned:
        bind = said.get(item.target) if type(item) is Bind else None
        if isinstance(item, Bind) and bind and bind.one_id:
            disk, inside = map(str, bind.one_id)
            found.append(OneIdBind(disk, inside, item.source, item.target, item.flags))
        elif isinstance(item, Bind) and bind and bind.owned:
            found.append(OwnedBind(user, group, item.source, item.target, item.flags))
        else:
            found.append(item)
    return found


def without_root(container: Container) -> Iterator[tuple[str, str]]:
    """Why a user cannot have them."""
    if any(bind.one_id for bind in container.binds):
        yield "[Container] Bind=: only root may id-map a mount (idmap=)", "use U, or leave it out"
