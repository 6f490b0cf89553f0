"""What was being brought in as a container when its process ended."""

from __future__ import annotations

from nsunit.core.findings import BROUGHT_IN, Leftover, is_locked
from nsunit.features.transfer import kept
from nsunit.features.transfer.staging import place_of
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from nsunit.core.context import Context
    from nsunit.core.findings import Owners

_KIND = "import"


def left(owners: Owners) -> Iterator[Leftover]:
    """Directories that nobody is at work in."""
    place = place_of(owners.context)
    for name in files.list_directory(place):
        if not is_locked(f"{place}/{name}"):
            kind = _KIND if kept.is_noted(f"{place}/{name}") else "directory"
            yield Leftover(kind, f"{place}/{name}", BROUGHT_IN)


def take_away(context: Context, item: Leftover) -> None:
    """Bring back what it was to keep, and remove it."""
    if item.kind == _KIND:
        kept.bring_back(context, item.what)
        context.remove_tree(item.what)
