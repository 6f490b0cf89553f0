"""The containers that a timer starts, as `list` shows them: whether they run or wait, and when the next time is."""

from __future__ import annotations

from nsunit.core.running import slice_as_defined
from nsunit.deeds.look.states import ContainerState, is_enabled
from nsunit.definition.search import main_file
from nsunit.features import hooks
from nsunit.names import container_of_timer, service_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nsunit.core.context import Context


def with_timers(context: Context, states: Iterable[ContainerState]) -> list[ContainerState]:
    """*states* with those that wait for their time, which systemd has not loaded as a rule, and when that is."""
    found = {state.name: state for state in states}
    for unit in context.bus.list_units(["nsunit-*.timer"]):
        name = container_of_timer(unit.name) if unit.active_state == "active" else None
        if name is None or not main_file(name, context.search):
            continue
        state = found.get(name) or _waiting(context, name)
        sub = "waiting" if state.active_state == "inactive" else state.sub_state
        found[name] = state.replace(sub_state=sub, next_elapse_usec=_next(context, name))
    return list(found.values())


def _waiting(context: Context, name: str) -> ContainerState:
    return ContainerState(
        name,
        "inactive",
        "waiting",
        service_name(name),
        slice_as_defined(context, name),
        main_file(name, context.search),
        enabled=is_enabled(context, name),
    )


def _next(context: Context, name: str) -> int | None:
    for shown in hooks(("timers",), "deeds.shown"):
        elapse: int | None = shown(context, name).get("next_elapse_usec")
        return elapse
    return None
