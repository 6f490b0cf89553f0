"""Before a start: where the program of checks is, and that none is left of an earlier run."""

from __future__ import annotations

from nsunit.core.jobs import forget_failed, stop_what_is_left
from nsunit.features import STARTER
from nsunit.features.health.keys import of
from nsunit.features.health.plan import HealthFacts
from nsunit.names import health_service, health_timer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.definition.model import Definition
    from nsunit.plan.facts import Facts


def facts(context: Context, _definition: Definition, facts: Facts) -> Facts:
    """*facts* with the program."""
    return facts.with_extra("health", HealthFacts(STARTER, "user" if context.user else "system"))


def check_now(context: Context, definition: Definition) -> None:
    """End what checks an earlier run as yet: systemd makes no unit whose name is taken."""
    if not of(definition.container).command:
        return
    name = definition.name
    for unit in context.bus.list_units([health_timer(name), health_service(name)]):
        if unit.active_state not in ("inactive", "failed"):
            stop_what_is_left(context, unit.name)  # a check may be over by itself meanwhile
        forget_failed(context, unit.name)
