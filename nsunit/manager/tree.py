"""Containers within their groups, for `list --tree`."""

from __future__ import annotations

from nsunit.definition.search import list_groups
from nsunit.manager.group import groups_of_slice
from nsunit.manager.query import UNKNOWN, pod_states
from nsunit.names import ROOT_SLICE, group_of_pod, group_slice, is_pod
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.manager.context import Context
    from nsunit.manager.query import ContainerState

_USAGE = ("ActiveState", "MemoryCurrent", "TasksCurrent", "CPUUsageNSec")
_LIMITS = ("MemoryMax", "TasksMax", "CPUQuotaPerSecUSec")


class Node(Record):
    """A container, a group, a pod, or nsunit.slice around them all: `kind` is "container", "group", "pod" or "total".

    Usage and limits are its slice's: bytes, tasks, µs; None where there is none or it is not there.
    """

    name: str
    kind: str
    active_state: str
    slice: str
    memory: int | None
    tasks: int | None
    cpu_usec: int | None
    memory_limit: int | None
    tasks_limit: int | None
    cpu_quota: int | None
    children: tuple[Node, ...] = ()


def tree(context: Context, states: Sequence[ContainerState], *, everything: bool = False) -> Node:
    """The tree with the containers *states*; with *everything* also the groups and pods that are only defined."""
    groups = {name for state in states for name in groups_of_slice(state.slice)}
    pods = {group_of_pod(state.name): state for state in pod_states(context, everything=True)}
    shown = [name for name, state in pods.items() if everything or state.active_state != "inactive"]
    for name in (*shown, *(list_groups(context.search) if everything else ())):
        groups |= {*groups_of_slice(group_slice(name)), name}
    names = {name: pods[name].name if name in pods else name for name in groups}
    total = _node(context, ROOT_SLICE, "total", ROOT_SLICE)
    return total.replace(children=_children(context, ROOT_SLICE, states, names))


def _children(
    context: Context, parent: str, states: Sequence[ContainerState], groups: dict[str, str]
) -> tuple[Node, ...]:
    """What is in the slice *parent*; *groups* are all there are, each with the name that it is shown by."""
    found = []
    for group, name in sorted(groups.items()):
        slice_ = group_slice(group)
        if _parent(slice_) == parent:
            node = _node(context, name, "pod" if is_pod(name) else "group", slice_)
            found.append(node.replace(children=_children(context, slice_, states, groups)))
    for state in states:
        if _parent(state.slice) == parent:
            found.append(_node(context, state.name, "container", state.slice, state.active_state))
    return tuple(found)


def _parent(slice_: str) -> str:
    above = groups_of_slice(slice_)
    return group_slice(above[-1]) if above else ROOT_SLICE


def _node(context: Context, name: str, kind: str, slice_: str, active_state: str = "") -> Node:
    values = context.bus.get(slice_, *_USAGE, *_LIMITS)
    state = str(values.get("ActiveState", "inactive"))

    def number(key: str) -> int | None:
        value = values.get(key)
        return value if isinstance(value, int) and value != UNKNOWN and state == "active" else None

    cpu = number("CPUUsageNSec")
    return Node(
        name=name,
        kind=kind,
        active_state=active_state or state,
        slice=slice_,
        memory=number("MemoryCurrent"),
        tasks=number("TasksCurrent"),
        cpu_usec=None if cpu is None else cpu // 1000,
        memory_limit=number("MemoryMax"),
        tasks_limit=number("TasksMax"),
        cpu_quota=number("CPUQuotaPerSecUSec"),
    )
