"""The timer of a container as a unit file."""

from __future__ import annotations

from nsunit.core.jobs import forget_failed, stop_what_is_left
from nsunit.dropins.render import render_unit
from nsunit.features.timers.plan import entry
from nsunit.names import timer_name
from nsunit.plan.units import directive, install_directives

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.definition.model import Definition
    from nsunit.plan.facts import Facts

STOP_SECONDS = 60


def listener_files(definition: Definition, facts: Facts) -> dict[str, str]:
    """Its text, by its name: systemd has it start the service of the same name."""
    unit, target = entry(definition)
    directives = (
        directive("Unit", "Description", f"Times of container {definition.name}", "s"),
        *install_directives(definition, target),
    )
    title = f"Container {definition.name}: the timer that starts it."
    return {unit: render_unit(title, definition, directives, ("Timer", "Install"), facts.systemd_version)}


def leave(context: Context, former: Definition) -> None:
    """Stop the timer of what is no longer enabled, or has no more times."""
    unit = timer_name(former.name)
    state = context.bus.get(unit, "ActiveState").get("ActiveState")
    if state == "active":
        stop_what_is_left(context, unit, STOP_SECONDS)
    elif state == "failed":  # systemd has read meanwhile that there is no file
        forget_failed(context, unit)
