"""`prune`: the state of stopped containers that no definition of their own tells of."""

from __future__ import annotations

from nsunit.deeds.remove import remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context
    from nsunit.core.jobs import Outcome
    from nsunit.deeds.look.kept import Kept


def prune(context: Context, found: Sequence[Kept]) -> list[Outcome]:
    """Remove what those of *found* have kept."""
    return remove(context, [item.name for item in found])
