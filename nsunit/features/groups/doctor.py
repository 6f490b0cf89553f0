"""Unit files of groups that no enabled container is in."""

from __future__ import annotations

from nsunit.core.findings import Leftover
from nsunit.features.groups.files import is_needed, remove_around
from nsunit.names import GROUP_SUFFIX, is_group
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from nsunit.core.context import Context
    from nsunit.core.findings import Owners

_KIND = "group"


def left(owners: Owners) -> Iterator[Leftover]:
    """See the module."""
    context = owners.context
    for name in files.list_directory(f"{context.paths.state}/groups"):
        if is_group(name) and not is_needed(context, name):
            yield Leftover(_KIND, context.paths.group_of(name), "no container in it is enabled")


def take_away(context: Context, item: Leftover) -> None:
    """Remove the unit file of a group, and those of groups around it that nobody needs either."""
    if item.kind == _KIND:
        go_on = remove_around(context, item.what.rpartition("/")[2].removesuffix(GROUP_SUFFIX))
        context.bus.reload()
        go_on()
