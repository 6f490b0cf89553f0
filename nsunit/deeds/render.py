"""What a start would ask systemd and the helper for, without asking."""

from __future__ import annotations

from nsunit.core.prepare import facts_for, planned_user_range
from nsunit.deeds.look.root import steps
from nsunit.definition.load import load
from nsunit.features import hooks, kinds_of
from nsunit.plan.operations import operations
from nsunit.plan.units import units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.definition.model import Definition
    from nsunit.setup.operation import Operation
    from nsunit.units import Unit


def render(context: Context, name: str) -> dict[str, object]:
    """The exact arguments of StartTransientUnit for *name*, and the helper's operations; a group has none."""
    more: dict[str, object] = {}
    for of_kind in hooks(kinds_of(name), "deeds.render"):
        definition, found, planned = of_kind(context, name)
        break
    else:
        definition, found, planned, more = _container(context, name)
    shown = [_unit(unit) for unit in found]
    document: dict[str, object] = {"name": name, "sources": list(definition.sources), **more, "units": shown}
    return {**document, "setup": steps(planned)} if planned else document


def _container(context: Context, name: str) -> tuple[Definition, list[Unit], list[Operation], dict[str, object]]:
    definition = load(name, context.search, context.host)
    more: dict[str, object] = {}
    for preview in hooks(definition.container.features, "deeds.preview"):
        definition, more["image"] = preview(context, definition)
    facts = facts_for(context, definition, planned_user_range(context, definition))
    planned = units(definition, facts)
    found = [planned.service, planned.slice, *planned.listeners]
    for around in hooks(definition.container.features, "deeds.units_around"):
        found += around(context, definition)
    return definition, found, operations(definition, facts), more


def _unit(unit: Unit) -> dict[str, object]:
    properties = [
        {"name": item.name, "signature": item.signature, "value": _json_value(item.value)} for item in unit.properties
    ]
    return {"name": unit.name, "properties": properties}


def _json_value(value: object) -> object:
    if isinstance(value, bytes):
        return list(value)
    return [_json_value(item) for item in value] if isinstance(value, tuple) else value
