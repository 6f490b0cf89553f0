"""The sockets and proxies of a container as unit files."""

from __future__ import annotations

from nsunit.dropins.render import render_unit
from nsunit.features.activation.plan import entry, listener_directives
from nsunit.plan.units import install_directives

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Definition
    from nsunit.plan.facts import Facts


def listener_files(definition: Definition, facts: Facts) -> dict[str, str]:
    """Their texts, by name; the one that is started at boot has the [Install] section."""
    found = {}
    started = entry(definition)
    for unit, directives in listener_directives(definition, facts).items():
        sections: tuple[str, ...] = ()
        if started and unit == started[0]:
            directives, sections = (*directives, *install_directives(definition, started[1])), ("Install",)
        what = "a socket that it is started by" if unit.endswith(".socket") else "a proxy that leads into it"
        title = f"Container {definition.name}: {what}."
        found[unit] = render_unit(title, definition, directives, sections, facts.systemd_version)
    return found
