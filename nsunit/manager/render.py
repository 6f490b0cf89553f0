"""What a start would ask systemd and the helper for, without asking."""

from __future__ import annotations

from nsunit.definition.load import load
from nsunit.manager.prepare import facts_for, planned_user_range
from nsunit.names import service_name, slice_name
from nsunit.plan.setup import operations
from nsunit.plan.units import boot_directives, install_directives, units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.manager.context import Context
    from nsunit.units import Unit


def render(context: Context, name: str) -> dict[str, object]:
    """The exact arguments of StartTransientUnit for container *name*, and the helper's operations."""
    definition = load(name, context.search, context.host)
    facts = facts_for(context, definition, planned_user_range(context, definition))
    planned = units(definition, facts)
    return {
        "name": definition.name,
        "sources": list(definition.sources),
        "units": [_unit(planned.service), _unit(planned.slice)],
        "setup": [
            {"operation": item.keyword, "arguments": list(item.arguments()), "does": item.describe()}
            for item in operations(definition, facts)
        ],
    }


def unit_files(context: Context, name: str) -> dict[str, str]:
    """The units of container *name* as the unit files that `enable` makes: name to text."""
    from nsunit.dropins.render import render_unit

    definition = load(name, context.search, context.host)
    facts = facts_for(context, definition, planned_user_range(context, definition))
    planned = units(definition, facts)
    service = f"Container {name}: the service that runs its payload."
    limits = f"Container {name}: the slice that carries its limits."
    return {
        slice_name(name): render_unit(limits, definition, planned.slice_directives, ("Slice",)),
        service_name(name): render_unit(
            service,
            definition,
            (
                *boot_directives(definition, facts, context.paths.boot_of(name)),
                *planned.service_directives,
                *install_directives(definition, context.boot_target),
            ),
            ("Unit", "Service", "Install"),
        ),
    }


def _unit(unit: Unit) -> dict[str, object]:
    properties = [
        {"name": item.name, "signature": item.signature, "value": _json_value(item.value)} for item in unit.properties
    ]
    return {"name": unit.name, "properties": properties}


def _json_value(value: object) -> object:
    if isinstance(value, bytes):
        return list(value)
    return [_json_value(item) for item in value] if isinstance(value, tuple) else value
