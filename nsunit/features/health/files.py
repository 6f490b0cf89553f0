"""The timer and the service of checks as unit files."""

from __future__ import annotations

from nsunit.core.jobs import forget_failed, stop_what_is_left
from nsunit.dropins.render import render_unit
from nsunit.features.health.plan import handed_down_texts, health_directives
from nsunit.names import health_service
from nsunit.plan.units import directive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.definition.model import Definition
    from nsunit.plan.facts import Facts


def listener_files(definition: Definition, facts: Facts) -> dict[str, str]:
    """Their texts, by name."""
    found = {}
    for unit, directives in health_directives(definition, facts).items():
        is_timer = unit.endswith(".timer")
        more = [] if is_timer else [directive("Service", *pair, "s") for pair in handed_down_texts(definition)]
        what = "the timer of its checks" if is_timer else "the service that checks it"
        title = f"Container {definition.name}: {what}."
        found[unit] = render_unit(title, definition, (*directives, *more), (), facts.systemd_version)
    return found


def leave(context: Context, definition: Definition) -> None:
    """End a check that is under way, before systemd notices that its unit file is gone and keeps its failure."""
    service = health_service(definition.name)
    stop_what_is_left(context, service)
    forget_failed(context, service)
