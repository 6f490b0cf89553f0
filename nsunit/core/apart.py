"""Containers and groups whose slices would be the same: a dash nests in the names of both."""

from __future__ import annotations

from nsunit.definition.load import load
from nsunit.definition.search import find_group, list_names
from nsunit.errors import DefinitionError, NsunitError
from nsunit.names import group_slice, groups_above, is_slice_of, service_name, slice_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.definition.model import Definition


def check_apart(context: Context, definition: Definition) -> None:
    """Refuse a container whose slice is that of a group, and a group whose slice is that of a container.

    Raises:
        NsunitError: that is so.
    """
    name, group = definition.name, definition.container.slice
    own = slice_name(name, group)
    as_group = own.removeprefix("nsunit-")
    if _is_defined(context, as_group) or context.bus.list_units([f"{own.removesuffix('.slice')}-*.slice"]):
        raise NsunitError(
            f"{name}: its slice would be that of the group '{as_group}'", hint="give one of the two another name"
        )
    for level in groups_above(group) if group else ():
        other = level.removesuffix(".slice").rpartition("-")[2]
        if _slice_that_is_taken(context, other) == group_slice(level):
            raise NsunitError(
                f"{name}: the slice of its group '{level}' is that of container '{other}'",
                hint="give one of the two another name",
            )


def _is_defined(context: Context, name: str) -> bool:
    try:
        find_group(name, context.search)
    except NsunitError:
        return False
    return True


def _slice_that_is_taken(context: Context, name: str) -> str:
    """The slice of container *name* as it runs, or else is defined; empty if there is no such container."""
    state = context.bus.get(service_name(name), "LoadState", "Slice")
    if is_slice_of(str(state.get("Slice", "")), name):
        return str(state["Slice"])
    if name not in list_names(context.search):
        return ""
    try:
        return slice_name(name, load(name, context.search, context.host).container.slice)
    except DefinitionError:
        return ""  # it cannot be started
