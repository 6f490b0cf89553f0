"""`prune`: the state of stopped containers that no definition of their own tells of, and what was not finished."""

from __future__ import annotations

from nsunit.deeds.host.leftovers import take_away, unfinished
from nsunit.deeds.remove import remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context
    from nsunit.core.jobs import Outcome
    from nsunit.deeds.look.kept import Kept


def prune(context: Context, found: Sequence[Kept]) -> list[Outcome]:
    """Remove what those of *found* have kept, and what commands have left that brought something in and were killed.

    Raises:
        NsunitError: something of the latter cannot be removed.
    """
    for failure in take_away(context, unfinished(context), lambda _item: None):
        raise failure
    return remove(context, [item.name for item in found])
