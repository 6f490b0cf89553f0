"""The names of containers, pods and groups alone: for completion, which must not take long.

systemd is asked once, and definitions are read only for the groups of containers that do not run.
"""

from __future__ import annotations

from nsunit.core.running import slice_as_defined
from nsunit.definition.search import list_groups, list_names, list_pods
from nsunit.names import (
    container_of_listener,
    container_of_unit,
    escape,
    group_of_pod,
    group_slice,
    groups_of_slice,
    is_pod,
    pod_of_unit,
)
from nsunit.units import UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nsunit.bus.protocol import UnitStatus
    from nsunit.core.context import Context

_KINDS = ("service", "scope", "slice", "socket")


def container_names(context: Context, *, everything: bool = False) -> list[str]:
    """The containers and pods that are there, and with *everything* also those only defined; sorted."""
    found = set(_loaded(context, everything=everything))
    if everything:
        found |= {*list_names(context.search), *list_pods(context.search)}
    return sorted(found)


def grouped_names(context: Context, *, everything: bool = False) -> dict[str, tuple[str, ...]]:
    """The same names, and with *everything* those of all groups, each with the groups and pods that it is in."""
    slices = _loaded(context, everything=everything)
    groups: list[str] = []
    if everything:
        groups = list(list_groups(context.search))
        slices |= {name: group_slice(group_of_pod(name)) for name in list_pods(context.search)}
        for name in list_names(context.search):
            if name not in slices:
                slices[name] = slice_as_defined(context, name)
    pods = {group_of_pod(name): name for name in slices if is_pod(name)}
    found = {name: groups_of_slice(slice_) for name, slice_ in slices.items()}
    found |= {name: groups_of_slice(group_slice(name)) for name in groups}
    return {name: tuple(pods.get(group, group) for group in above) for name, above in found.items()}


def _loaded(context: Context, *, everything: bool) -> dict[str, str]:
    """The containers and pods that are there, with their slices; *everything*: that systemd knows of at all."""
    units = context.bus.list_units([f"nsunit-*.{kind}" for kind in _KINDS])
    slices = _slices(units)
    listening = {container_of_listener(unit.name) for unit in units if unit.name.endswith(".socket") and _is_up(unit)}
    found = {}
    for unit in units:
        name = pod_of_unit(unit.name) or ""
        if name:
            slice_ = group_slice(group_of_pod(name))
        else:
            name = container_of_unit(unit.name) or ""
            # Other people's units may be called nsunit-something: a container's has the container's slice, which is
            # there as long as the unit is.
            slice_ = slices.get(escape(name), "")
        if slice_ and (everything or unit.active_state != "inactive" or name in listening):
            found[name] = slice_
    return found


def _slices(units: Iterable[UnitStatus]) -> Mapping[str, str]:
    """The slices among *units* by the last parts of their names; where there are two, one that is active."""
    found = [unit for unit in units if unit.name.endswith(".slice")]
    return {unit.name.removesuffix(".slice").rpartition("-")[2]: unit.name for unit in sorted(found, key=_is_up)}


def _is_up(unit: UnitStatus) -> bool:
    return unit.active_state in UP
