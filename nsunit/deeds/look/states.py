"""Containers and pods as `list` has them: what each is, whether it runs, and what it uses."""

from __future__ import annotations

from nsunit.core import listeners as listening
from nsunit.core.jobs import failed_names, failure_of
from nsunit.core.running import slice_as_defined, slice_of
from nsunit.deeds.look.kept import kept
from nsunit.definition.search import find_group, list_names, list_pods, main_file
from nsunit.errors import NotFoundError
from nsunit.names import container_of_unit, is_group, is_slice_of, pod_of_unit, service_name
from nsunit.record import Record
from nsunit.storage.health import read as read_health
from nsunit.units import INFINITY, UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.bus.protocol import UnitStatus
    from nsunit.core.context import Context
    from nsunit.core.jobs import Failure
    from nsunit.storage.health import Health


_UNITS = ("nsunit-*.service", "nsunit-*-run-*.scope", "nsunit-*.socket")


class ContainerState(Record):
    """One line of `nsunit list`.  Counters are None where the container does not run: bytes, tasks, µs."""

    name: str
    active_state: str
    sub_state: str
    unit: str
    slice: str
    definition: str = ""
    pid: int | None = None
    since_usec: int | None = None
    memory: int | None = None
    tasks: int | None = None
    cpu_usec: int | None = None
    enabled: bool = False
    note: str = ""  # why it was not started, or what is wrong with what listens for it, and what to do
    frozen: bool = False
    health: str | None = None  # starting, healthy or unhealthy; None where nothing checks it
    next_elapse_usec: int | None = None  # when its timer starts it, µs since 1970


def list_containers(context: Context, *, everything: bool = False) -> list[ContainerState]:
    """The containers that are loaded, and with *everything* also those only defined or with kept state."""
    units = context.bus.list_units(_UNITS)
    listeners = listening.by_container(units)
    states = {}
    for unit in units:
        name = container_of_unit(unit.name)
        values = _values_of(context, unit) if name else {}
        # Other people's units may be called nsunit-something: a container's is in the container's slice.
        if name and is_slice_of(str(values.get("Slice", "")), name):
            states[name] = state_of(context, name, unit.name, values, listeners.get(name, listening.NONE))
    for name in failed_names(context):
        if name not in states:
            states[name] = state_of(context, name, service_name(name), {}, listeners.get(name, listening.NONE))
    if everything:
        quiet = {item.name: item.state for item in kept(context)} | dict.fromkeys(list_names(context.search), "dead")
        for name, sub_state in quiet.items():
            if name not in states:
                states[name] = ContainerState(
                    name,
                    "inactive",
                    sub_state,
                    service_name(name),
                    slice_as_defined(context, name),
                    main_file(name, context.search),
                    enabled=is_enabled(context, name),
                )
    return [states[name] for name in sorted(states)]


def present(context: Context) -> list[str]:
    """The containers that run, are waited for by a socket, or have failed; sorted."""
    units = context.bus.list_units(_UNITS)
    listeners = listening.by_container(units)
    found = set()
    for unit in units:
        name = container_of_unit(unit.name)
        listener = listeners.get(name or "", listening.NONE)
        if not name or not (unit.active_state != "inactive" or listener.listening or listener.given_up):
            continue
        if is_slice_of(str(context.bus.get(unit.name, "Slice").get("Slice", "")), name):
            found.add(name)
    for name in failed_names(context):
        if name not in found and failure_that_counts(context, name, service_name(name)):
            found.add(name)
    return sorted(found)


def _values_of(context: Context, unit: UnitStatus) -> dict[str, object]:
    """What `state_of` shows of a *unit* that systemd has listed: all its properties would take ten times as long."""
    since = "ActiveEnterTimestamp" if unit.active_state in UP else "StateChangeTimestamp"
    return {
        "ActiveState": unit.active_state,
        "SubState": unit.sub_state,
        "LoadState": unit.load_state,
        **context.bus.get(unit.name, "Slice", "MainPID", "FreezerState", since),
    }


def pod_states(context: Context, *, everything: bool = False) -> list[ContainerState]:
    """The pods that are there, with the counters of all their containers, and with *everything* those only defined."""
    units = context.bus.list_units(["nsunit-*.pod.service"])
    found = {name: unit for unit in units if (name := pod_of_unit(unit.name))}
    names = {*found, *(list_pods(context.search) if everything else ())}
    states = []
    for name in sorted(names):
        values = _values_of(context, found[name]) if name in found else {}
        states.append(state_of(context, name, service_name(name), values))
    return states


def state_of(
    context: Context, name: str, unit: str, values: dict[str, object], listeners: listening.Listeners = listening.NONE
) -> ContainerState:
    """The state of container or pod *name* by its *unit*, of which *values* are known."""
    slice_ = str(values.get("Slice", ""))
    if not is_slice_of(slice_, name):
        slice_ = slice_of(context, name)
    limits = context.bus.get(slice_, "MemoryCurrent", "TasksCurrent", "CPUUsageNSec", "FreezerState")
    cpu = number(limits, "CPUUsageNSec")
    active, sub = str(values.get("ActiveState", "inactive")), str(values.get("SubState", "dead"))
    if active in ("inactive", "failed"):
        if listeners.listening:
            sub = "listening"
        elif listeners.given_up:
            active, sub = "failed", "not-listening"
    since, note = values.get("ActiveEnterTimestamp" if active in UP else "StateChangeTimestamp"), ""
    if sub in ("dead", "failed") and (failure := failure_that_counts(context, name, unit)):
        active, sub, since = "failed", "failed" if failure.invocation else "refused", failure.time_usec
        first, *others = failure.message.split("\n")  # a mistake of the definition's each
        more = f", and {len(others)} more, see 'nsunit verify {name}'" if others else ""
        note = f"{first}{more}; {failure.hint}" if failure.hint else f"{first}{more}"
    return ContainerState(
        name=name,
        active_state=active,
        sub_state=sub,
        unit=unit,
        slice=slice_,
        definition=_defined_by(context, name),
        pid=number(values, "MainPID") or None,
        since_usec=number({"since": since}, "since") or None,
        memory=number(limits, "MemoryCurrent"),
        tasks=number(limits, "TasksCurrent"),
        cpu_usec=None if cpu is None else cpu // 1000,
        enabled=is_enabled(context, name),
        note=listening.note(context, name, listeners) or note,
        frozen=is_frozen(values, limits),
        health=found.status if (found := health_of(context, name, values)) else None,
    )


def _defined_by(context: Context, name: str) -> str:
    """The file that defines the container, group or pod *name*; empty if none does."""
    if not is_group(name):
        return main_file(name, context.search)
    try:
        return find_group(name, context.search).main
    except NotFoundError:
        return ""


def is_frozen(*units: dict[str, object]) -> bool:
    """Whether one of *units* is frozen, by itself or (from systemd 256 on, which says so) by a slice above it."""
    return any(values.get("FreezerState") in ("frozen", "frozen-by-parent") for values in units)


def failure_that_counts(context: Context, name: str, unit: str) -> Failure | None:
    """How nsunit's last start of it has failed, if it is not systemd that has tried last."""
    failure = failure_of(context, name)
    tried = context.bus.get(unit, "InactiveExitTimestamp") if failure else {}
    return failure if failure and (number(tried, "InactiveExitTimestamp") or 0) <= failure.time_usec else None


def health_of(context: Context, name: str, values: dict[str, object]) -> Health | None:
    """What the checks of a container have found, if there are any."""
    pid = number(values, "MainPID")
    try:
        return read_health(context.paths.runtime_of(name), pid) if pid else None
    except PermissionError:
        return None  # it is root's to know


def is_enabled(context: Context, name: str) -> bool:
    """Whether container or pod *name* is started at boot.

    Its unit files alone do not say so: that of a pod may be there for a container's sake, and `systemctl disable` takes
    away no more than the links.
    """
    return context.paths.is_enabled(name) and bool(listening.links(context, name))


def number(values: dict[str, object], key: str) -> int | None:
    """The property *key*, None where it is unknown or has no limit."""
    value = values.get(key)
    return value if isinstance(value, int) and value != INFINITY else None
