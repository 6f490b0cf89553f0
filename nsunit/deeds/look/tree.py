"""Containers within their groups, for `list --tree`."""

from __future__ import annotations

from nsunit.deeds.look.states import pod_states
from nsunit.definition.search import list_groups
from nsunit.names import ROOT_SLICE, group_of_pod, group_slice, groups_of_slice, is_pod
from nsunit.record import Record
from nsunit.units import INFINITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nsunit.core.context import Context
    from nsunit.deeds.look.states import ContainerState

_USAGE = ("MemoryCurrent", "TasksCurrent", "CPUUsageNSec")
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
    below: dict[str, list[Node]] = {}
    for group in sorted(groups):
        slice_, kind = group_slice(group), "pod" if group in pods else "group"
        node = _node(context, pods[group].name if group in pods else group, kind, slice_)
        if group in pods and pods[group].active_state == "failed":
            node = node.replace(active_state="failed")  # its slice knows nothing of that
        below.setdefault(_parent(slice_), []).append(node)
    for state in states:
        if is_pod(state.name) and group_of_pod(state.name) in pods:
            continue  # one that was refused is among the containers as well
        node = _node(context, state.name, "container", state.slice, state)
        below.setdefault(_parent(state.slice), []).append(node)
    return _with_children(_node(context, ROOT_SLICE, "total", ROOT_SLICE), below)


def _with_children(node: Node, below: Mapping[str, Sequence[Node]]) -> Node:
    children = () if node.kind == "container" else below.get(node.slice, ())
    return node.replace(children=tuple(_with_children(child, below) for child in children))


def _parent(slice_: str) -> str:
    above = groups_of_slice(slice_)
    return group_slice(above[-1]) if above else ROOT_SLICE


def _node(context: Context, name: str, kind: str, slice_: str, known: ContainerState | None = None) -> Node:
    """The line of *slice_*; of a container its usage is *known*."""
    values = context.bus.get(slice_, "ActiveState", *_LIMITS, *(() if known else _USAGE))
    state = str(values.get("ActiveState", "inactive"))

    def number(key: str) -> int | None:
        value = values.get(key)
        return value if isinstance(value, int) and value != INFINITY and state == "active" else None

    cpu = number("CPUUsageNSec")
    return Node(
        name=name,
        kind=kind,
        active_state=known.active_state if known else state,
        slice=slice_,
        memory=known.memory if known else number("MemoryCurrent"),
        tasks=known.tasks if known else number("TasksCurrent"),
        cpu_usec=known.cpu_usec if known else None if cpu is None else cpu // 1000,
        memory_limit=number("MemoryMax"),
        tasks_limit=number("TasksMax"),
        cpu_quota=number("CPUQuotaPerSecUSec"),
    )
