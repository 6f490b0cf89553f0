"""What a start would ask systemd and the helper for, without asking."""

from __future__ import annotations

from nsunit.definition.load import load
from nsunit.manager.prepare import at_boot, facts_for, planned_user_range
from nsunit.names import group_slice, groups_above, is_group, is_pod, pod_name, service_name
from nsunit.plan.setup import operations
from nsunit.plan.units import boot_directives, install_directives, units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.definition.model import Definition
    from nsunit.manager.context import Context
    from nsunit.plan.facts import Facts
    from nsunit.setup.operation import Operation
    from nsunit.units import Unit


def render(context: Context, name: str) -> dict[str, object]:
    """The exact arguments of StartTransientUnit for container *name*, and the helper's operations."""
    if is_group(name):
        return _render_group(context, name)
    if is_pod(name):
        return _render_pod(context, name)
    definition = load(name, context.search, context.host)
    facts = facts_for(context, definition, planned_user_range(context, definition))
    planned = units(definition, facts)
    return {
        "name": definition.name,
        "sources": list(definition.sources),
        "units": [
            _unit(unit)
            for unit in (planned.service, planned.slice, *planned.listeners, *_group_units(context, definition))
        ],
        "setup": _setup(operations(definition, facts)),
    }


def _setup(planned: Sequence[Operation]) -> list[dict[str, object]]:
    return [
        {"operation": item.keyword, "arguments": list(item.arguments()), "does": item.describe()} for item in planned
    ]


def _render_group(context: Context, name: str) -> dict[str, object]:
    from nsunit.definition.group import load_group
    from nsunit.plan.group import group_unit

    definition = load_group(name, context.search, context.host)
    return {"name": name, "sources": list(definition.sources), "units": [_unit(group_unit(definition))]}


def _render_pod(context: Context, name: str) -> dict[str, object]:
    from nsunit.definition.pod import load_pod
    from nsunit.manager.pod import pins_of, planned_facts
    from nsunit.plan.pod import operations, pod_unit

    definition = load_pod(name, context.search, context.host)
    facts = planned_facts(context, definition)
    service = pod_unit(definition, facts, pins_of(context, name))
    return {
        "name": name,
        "sources": list(definition.sources),
        "units": [_unit(unit) for unit in (service, *_group_units(context, definition))],
        "setup": _setup(operations(definition, facts)),
    }


def groups_around(context: Context, definition: Definition) -> tuple[Definition, ...]:
    """The definitions of the groups that container *definition* is in, the innermost first."""
    if not definition.container.slice:
        return ()
    from nsunit.definition.group import group_or_empty

    names = reversed(groups_above(definition.container.slice))
    return tuple(group_or_empty(name, context.search, context.host) for name in names)


def _group_units(context: Context, definition: Definition) -> list[Unit]:
    groups = groups_around(context, definition)
    if not groups:
        return []
    from nsunit.plan.group import group_unit

    return [group_unit(group) for group in groups]


def group_file(definition: Definition) -> tuple[str, str]:
    """The slice of a group as a unit file: name and text."""
    from nsunit.dropins.render import render_unit
    from nsunit.plan.group import group_directives

    title = f"Group {definition.name}: the slice that its containers share."
    text = render_unit(title, definition, group_directives(definition), ("Unit", "Slice"))
    return group_slice(definition.name), text


def unit_files(context: Context, name: str) -> dict[str, str]:
    """The units of container *name* as the unit files that `enable` makes: name to text; those of its groups, too."""
    from nsunit.dropins.render import render_unit

    if is_group(name):
        from nsunit.definition.group import load_group

        return dict([group_file(load_group(name, context.search, context.host))])
    if is_pod(name):
        return _pod_files(context, name)
    definition = load(name, context.search, context.host)
    facts = at_boot(context, definition, facts_for(context, definition, planned_user_range(context, definition)))
    planned = units(definition, facts)
    install = install_directives(definition, context.boot_target) if not planned.waits else ()
    listeners = _listeners(definition, facts) if planned.listeners else {}
    service = f"Container {name}: the service that runs its payload."
    limits = f"Container {name}: the slice that carries its limits."
    around = dict(group_file(group) for group in reversed(groups_around(context, definition)))
    if definition.container.pod:
        around |= _pod_files(context, pod_name(definition.container.pod))
    return {
        **around,
        planned.slice.name: render_unit(limits, definition, planned.slice_directives, ("Slice",)),
        service_name(name): render_unit(
            service,
            definition,
            (
                *boot_directives(definition, facts, context.paths.boot_of(name)),
                *planned.service_directives,
                *install,
            ),
            ("Unit", "Service") if planned.waits else ("Unit", "Service", "Install"),
        ),
        **listeners,
    }


def _listeners(definition: Definition, facts: Facts) -> dict[str, str]:
    from nsunit.dropins.render import render_unit
    from nsunit.plan.activation import entry_socket, listeners

    found = {}
    for unit, directives in listeners(definition, facts).items():
        sections: tuple[str, ...] = ()
        if definition.container.activation and unit == entry_socket(definition):
            directives, sections = (*directives, *install_directives(definition, "sockets.target")), ("Install",)
        what = "a socket that it is started by" if unit.endswith(".socket") else "a proxy that leads into it"
        found[unit] = render_unit(f"Container {definition.name}: {what}.", definition, directives, sections)
    return found


def _pod_files(context: Context, name: str) -> dict[str, str]:
    from nsunit.definition.pod import load_pod
    from nsunit.manager.pod import planned_facts

    definition = load_pod(name, context.search, context.host)
    return {
        **dict(group_file(group) for group in reversed(groups_around(context, definition))),
        **dict([pod_file(context, definition, planned_facts(context, definition))]),
    }


def pod_file(context: Context, definition: Definition, facts: Facts) -> tuple[str, str]:
    """The service of a pod as a unit file: name and text."""
    from nsunit.dropins.render import render_unit
    from nsunit.manager.pod import pins_of
    from nsunit.plan import pod

    name = definition.name
    lines = (
        *pod.boot_directives(facts, context.paths.boot_of(name)),
        *pod.directives(definition, facts, pins_of(context, name)),
        *install_directives(definition, context.boot_target),
    )
    title = f"Pod {name}: the service that keeps what its containers share."
    return service_name(name), render_unit(title, definition, lines, ())


def _unit(unit: Unit) -> dict[str, object]:
    properties = [
        {"name": item.name, "signature": item.signature, "value": _json_value(item.value)} for item in unit.properties
    ]
    return {"name": unit.name, "properties": properties}


def _json_value(value: object) -> object:
    if isinstance(value, bytes):
        return list(value)
    return [_json_value(item) for item in value] if isinstance(value, tuple) else value
