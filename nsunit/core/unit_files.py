"""The units of containers as the unit files that `enable` makes."""

from __future__ import annotations

from nsunit.core.prepare import at_boot, facts_for, planned_user_range, resolved
from nsunit.definition.load import load
from nsunit.dropins.render import render_unit
from nsunit.features import hooks, kinds_of
from nsunit.names import service_name
from nsunit.plan.units import boot_directives, entry_of, install_directives, units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.definition.model import Definition


def unit_files(context: Context, name: str) -> dict[str, str]:
    """The unit files of container *name*, or of what else it is by its ending: name to text; those around it, too."""
    for files_of in hooks(kinds_of(name), "files.unit_files"):
        found: dict[str, str] = files_of(context, name)
        return found
    return files_of_container(context, load(name, context.search, context.host))


def files_of_container(context: Context, definition: Definition) -> dict[str, str]:
    """The unit files of the container that has this *definition*."""
    name, definition = definition.name, resolved(context, definition)
    facts = at_boot(context, definition, facts_for(context, definition, planned_user_range(context, definition)))
    planned = units(definition, facts)
    starts_itself = entry_of(definition, context.boot_target)[0] == service_name(name)
    install = install_directives(definition, context.boot_target) if starts_itself else ()
    used = definition.container.features
    around: dict[str, str] = {}
    for files_around in hooks(used, "files.files_around"):
        around |= files_around(context, definition)
    listeners: dict[str, str] = {}
    for listener_files in hooks(used, "files.listener_files"):
        listeners |= listener_files(definition, facts)
    version = context.host.systemd_version
    service = f"Container {name}: the service that runs its program."
    limits = f"Container {name}: the slice that carries its limits."
    return {
        **around,
        planned.slice.name: render_unit(limits, definition, planned.slice_directives, ("Slice",), version),
        service_name(name): render_unit(
            service,
            definition,
            (
                *boot_directives(facts, context.paths.boot_of(name)),
                *planned.service_directives,
                *install,
            ),
            ("Unit", "Service", "Install") if starts_itself else ("Unit", "Service"),
            version,
        ),
        **listeners,
    }
